"""A scripted raw origin: what each path does is a Python callable or plain bytes, and every request is kept byte for byte."""
import hashlib
import socket
import threading
import time

from client import PATIENCE
from larder import free_port


class Request:
    def __init__(self, raw_head):
        self.raw_head = raw_head
        lines = raw_head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.method, self.target, self.version = (self.line.split(" ") + ["", "", ""])[:3]
        self.headers = [tuple(part.strip(" \t") for part in line.split(":", 1)) for line in lines[1:] if ":" in line]
        self.body = b""
        self.at = time.monotonic()

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return ", ".join(values) if values else default

    @property
    def path(self):
        return self.target.split("?")[0]


class Closed(Exception):
    """The proxy has closed its connection."""


class Connection:
    """The origin's side of one connection, as behaviours see it."""

    def __init__(self, origin, sock, number):
        self.origin, self.socket, self.number = origin, sock, number
        self.buffer = b""
        self.keep = True

    def recv(self):
        try:
            data = self.socket.recv(262144)
        except OSError:
            data = b""
        self.buffer += data
        return bool(data)

    def send(self, data):
        try:
            self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        except OSError:
            raise Closed() from None

    def close(self):
        self.keep = False

    def reset(self):
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.keep = False

    def is_dropped(self, wait_s=10):
        """Does the proxy close this connection within the time?"""
        self.socket.settimeout(wait_s * PATIENCE)
        try:
            return self.socket.recv(1) == b""
        except socket.timeout:
            return False
        except OSError:
            return True
        finally:
            try:
                self.socket.settimeout(None)
            except OSError:
                pass

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self.recv():
                return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return Request(head)

    def read_some(self, count):
        while len(self.buffer) < count:
            if not self.recv():
                raise Closed()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_line(self):
        while b"\r\n" not in self.buffer:
            if not self.recv():
                raise Closed()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def read_body(self, request):
        if request.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while True:
                size = int(self.read_line().split(b";")[0], 16)
                if size == 0:
                    while self.read_line():
                        pass
                    break
                pieces.append(self.read_some(size))
                if self.read_some(2) != b"\r\n":
                    raise AssertionError("the proxy sent a chunk without CRLF")
            request.body = b"".join(pieces)
        elif request.get("Content-Length"):
            request.body = self.read_some(int(request.get("Content-Length")))
        return request.body


def http_date(offset_s=0):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + offset_s))


def head(status=200, headers=(), date=True, reason="Thing"):
    lines = [f"HTTP/1.1 {status} {reason}"]
    if date and not any(name.lower() == "date" for name, _ in headers):
        lines.append(f"Date: {http_date()}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reply(body=b"", status=200, cache=None, headers=(), delay=0.0, etag=None, date=True, chunked=False):
    """A plain good answer. body: bytes, or a function of the request."""
    def behave(conn, request):
        if delay:
            conn.origin.stopping.wait(delay)
        data = body(request) if callable(body) else body
        data = data.encode() if isinstance(data, str) else data
        fields = list(headers)
        if cache is not None:
            fields.append(("Cache-Control", cache))
        if etag is not None:
            fields.append(("ETag", etag))
            if etag in (request.get("If-None-Match") or ""):
                conn.send(head(304, fields, date))
                return
        if chunked and status not in (204, 304):
            fields.append(("Transfer-Encoding", "chunked"))
        elif status not in (204, 304):
            fields.append(("Content-Length", str(len(data))))
        conn.send(head(status, fields, date))
        if request.method != "HEAD" and status not in (204, 304):
            if chunked:
                for at in range(0, len(data), 1000):
                    piece = data[at:at + 1000]
                    conn.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                conn.send(b"0\r\n\r\n")
            else:
                conn.send(data)
    return behave


def raw(data):
    """Sends these bytes whatever was asked, and closes."""
    def behave(conn, _request):
        conn.send(data)
        conn.close()
    return behave


def sequence(*behaviours):
    """The first request gets the first, and so on; the last one stays."""
    state = {"next": 0}
    lock = threading.Lock()

    def behave(conn, request):
        with lock:
            at = min(state["next"], len(behaviours) - 1)
            state["next"] += 1
        chosen = behaviours[at]
        return (raw(chosen) if isinstance(chosen, bytes) else chosen)(conn, request)
    return behave


def content(target, size):
    """A body that is a function of the URL: any other byte is a wrong byte."""
    seed = hashlib.sha256(target.encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


class Origin:
    """Listens at once. routes: path -> behaviour (callable(connection, request) or bytes); `default` for the rest."""

    def __init__(self, routes=None, default=None, port=0, backlog=1024, host="127.0.0.1"):
        self.routes = dict(routes or {})
        self.default = default or reply("not here", 404)
        self.requests = []
        self.connections = 0
        self.errors = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.live = set()
        self.backlog = backlog
        self.host, self.port = host, port or free_port()  # not the kernel's choice: others would get it while we are shut
        self.listener = None
        self.listen()

    def listen(self):
        """Also after shut(): the origin comes back on the same port."""
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        with self.lock:
            self.listener = listener
        listener.listen(self.backlog)
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def shut(self):
        """Refuses new connections and cuts the open ones."""
        with self.lock:
            listener, self.listener = self.listener, None
        if listener:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        with self.lock:
            live = list(self.live)
        for sock in live:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.stopping.set()
        self.shut()

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                if self.listener is not listener:  # shut since
                    sock.close()
                    return
                self.connections += 1
                number = self.connections
                self.live.add(sock)
            threading.Thread(target=self.serve, args=(Connection(self, sock, number),), daemon=True).start()

    def serve(self, conn):
        try:
            while conn.keep and not self.stopping.is_set():
                request = conn.read_head()
                if request is None:
                    break
                behave = self.routes.get(request.target) or self.routes.get(request.path) or self.default
                with self.lock:
                    self.requests.append(request)
                if isinstance(behave, bytes):
                    behave = raw(behave)
                if not getattr(behave, "reads_body", False):
                    conn.read_body(request)
                behave(conn, request)
        except Closed:
            pass
        except Exception as error:  # shown by the test that owns this origin
            if not self.stopping.is_set():
                self.errors.append(error)
        finally:
            with self.lock:
                self.live.discard(conn.socket)
            try:
                conn.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            conn.socket.close()

    def count(self, path=None, method=None):
        with self.lock:
            return sum(1 for request in self.requests
                       if (path is None or path in (request.path, request.target))
                       and (method is None or request.method == method))

    def last(self, path=None):
        with self.lock:
            for request in reversed(self.requests):
                if path is None or path in (request.path, request.target):
                    return request
        return None
