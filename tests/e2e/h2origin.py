"""A scripted origin that speaks HTTP/2 over TLS: what each path does is a Python callable, frames are h2's."""
import socket
import ssl
import sys
import threading

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, also when another python3 comes first
try:
    import h2.config
    import h2.connection
    import h2.errors
    import h2.events
    import h2.exceptions
except ImportError:
    h2 = None

from case import Skip


class Stream:
    """One request, as behaviours see it."""

    def __init__(self, conn, number, headers):
        self.conn, self.number, self.headers = conn, number, headers
        self.body, self.ended = b"", threading.Event()
        self.window = threading.Event()

    def get(self, name):
        return next((value for key, value in self.headers if key == name), None)

    @property
    def path(self):
        return self.get(":path")

    def head(self, status=200, headers=(), end=False):
        self.conn.do(lambda h: h.send_headers(self.number, [(":status", str(status)), *headers], end_stream=end))

    def data(self, data, end=False):
        """All of it, as the proxy's windows let it."""
        while True:
            with self.conn.lock:
                room = self.conn.room(self.number)
                piece = data[:room]
                if piece or not data:
                    data = data[len(piece):]
                    self.conn.h2.send_data(self.number, piece, end_stream=end and not data)
                    self.conn.flush()
                    if not data:
                        return
                    continue
                self.window.clear()
            if not self.window.wait(60):
                raise AssertionError("the proxy opens no window")

    def reset(self, code):
        self.conn.do(lambda h: h.reset_stream(self.number, code))


class H2Conn:
    def __init__(self, origin, sock, number):
        self.origin, self.socket, self.number = origin, sock, number
        self.lock = threading.RLock()
        self.streams = {}
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8",
                                             validate_outbound_headers=False, normalize_outbound_headers=False))

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def do(self, action):
        with self.lock:
            action(self.h2)
            self.flush()

    def raw(self, data):
        with self.lock:
            self.flush()
            self.socket.sendall(data)

    def room(self, number):
        return min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)

    def run(self):
        self.h2.local_settings.max_concurrent_streams = self.origin.max_streams
        with self.lock:
            self.h2.initiate_connection()
            self.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.origin.max_streams})
            self.flush()
        while True:
            try:
                data = self.socket.recv(65536)
            except (OSError, ssl.SSLError):
                data = b""
            if not data:
                return
            with self.lock:
                for event in self.h2.receive_data(data):
                    self.take(event)
                self.flush()

    def take(self, event):
        number = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            stream = self.streams[number] = Stream(self, number, event.headers)
            self.origin.begin(stream)
        elif isinstance(event, h2.events.DataReceived):
            self.streams[number].body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, number)
        elif isinstance(event, h2.events.StreamEnded):
            self.streams[number].ended.set()
        elif isinstance(event, h2.events.StreamReset):
            with self.origin.lock:
                self.origin.resets.append((self.streams[number].path, event.error_code))
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            for stream in self.streams.values():
                stream.window.set()


class H2Origin:
    """routes: path -> callable(stream), run in a thread of its own."""

    def __init__(self, t, pair, routes=None, default=None, max_streams=100):
        if h2 is None:
            raise Skip("python3-h2 is not installed")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.routes, self.default = dict(routes or {}), default or (lambda stream: stream.head(404, end=True))
        self.max_streams = max_streams
        self.lock = threading.Lock()
        self.streams, self.resets, self.errors, self.conns = [], [], [], []
        self.active, self.most = 0, 0
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(100)
        self.port = self.listener.getsockname()[1]
        self.stopping = False
        threading.Thread(target=self.accept, daemon=True).start()
        t.undo.append(self.stop)

    def stop(self):
        self.stopping = True
        self.listener.close()
        for conn in self.conns:
            try:
                conn.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            sock = self.context.wrap_socket(sock, server_side=True)
        except OSError:
            return
        if sock.selected_alpn_protocol() != "h2":
            sock.close()
            return
        with self.lock:
            conn = H2Conn(self, sock, len(self.conns))
            self.conns.append(conn)
        try:
            conn.run()
        except (OSError, h2.exceptions.ProtocolError) as error:
            if not self.stopping:
                self.errors.append(error)
        sock.close()

    def begin(self, stream):
        with self.lock:
            self.streams.append(stream)
        threading.Thread(target=self.behave, args=(stream,), daemon=True).start()

    def behave(self, stream):
        with self.lock:
            self.active += 1
            self.most = max(self.most, self.active)
        try:
            self.routes.get(stream.path, self.default)(stream)
        except (OSError, h2.exceptions.ProtocolError, KeyError):
            pass  # the stream or the connection is gone
        except AssertionError as error:
            self.errors.append(error)
        with self.lock:
            self.active -= 1

    def count(self, path=None):
        with self.lock:
            return sum(1 for stream in self.streams if path is None or stream.path == path)


def answer(body=b"", status=200, headers=(), delay=0.0, length=True):
    """A plain good answer. body: bytes, or a function of the stream."""
    import time

    def behave(stream):
        if delay:
            time.sleep(delay)
        data = body(stream) if callable(body) else body
        fields = [*headers] + ([("content-length", str(len(data)))] if length else [])
        stream.head(status, fields)
        stream.data(data, end=True)
    return behave
