"""A raw-socket HTTP/1 client that believes nothing: every byte of an answer is framed by the RFC 9112 rules."""
import os
import socket
import time

# How much longer than usual everything may take here: run.py's --scale. Deadlines that only end a hang count in it.
PATIENCE = max(1.0, float(os.environ.get("LARDER_PATIENCE", "1")))


class ProtocolError(AssertionError):
    """The proxy's bytes are not HTTP as they must be."""


class Response:
    """One answer as it came. `complete` is False when the connection ended inside the body."""

    def __init__(self, raw_head):
        self.raw_head = raw_head
        lines = raw_head.split(b"\r\n")
        parts = lines[0].split(b" ", 2)
        if len(parts) < 3 or parts[0] not in (b"HTTP/1.1", b"HTTP/1.0") or not parts[1].isdigit() or len(parts[1]) != 3:
            raise ProtocolError(f"bad status line {lines[0]!r}")
        self.version, self.status, self.reason = parts[0].decode(), int(parts[1]), parts[2].decode("latin-1")
        self.headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip() or b"\n" in line or b"\r" in line or b"\0" in line:
                raise ProtocolError(f"bad field line {line!r} in {raw_head!r}")
            self.headers.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
        self.body = b""
        self.complete = False
        self.framing = None
        self.interim = []

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return ", ".join(values) if values else default

    @property
    def cache_status(self):
        return self.get("Cache-Status", "")

    @property
    def is_hit(self):
        return "; hit" in self.cache_status

    @property
    def age(self):
        return int(self.get("Age", "-1"))

    def __repr__(self):
        return f"<{self.status} {self.cache_status!r} {len(self.body)} bytes complete={self.complete}>"


class Client:
    """One connection. Reading keeps what belongs to the next answer."""

    def __init__(self, port, timeout=20, host="127.0.0.1", receive_buffer=None, source=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout * PATIENCE)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.ended = False
        self.version = None

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def request(self, target="/", method="GET", host="site.test", headers=(), body=None, version="HTTP/1.1"):
        """Sends one request; host None leaves the field out."""
        self.version = version
        lines = [f"{method} {target} {version}"]
        if host is not None:
            lines.append(f"Host: {host}")
        lines += [f"{name}: {value}" for name, value in headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines) + "\r\n\r\n")
        if body:
            self.send(body)

    def fill(self):
        """Reads some bytes. Returns False at the end of the stream."""
        try:
            data = self.socket.recv(262144)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            return False
        self.buffer += data
        return True

    def read_until(self, mark, limit=1 << 20):
        while mark not in self.buffer:
            if len(self.buffer) > limit:
                raise ProtocolError("no end of head in sight")
            if not self.fill():
                raise ProtocolError(f"connection ended; so far {self.buffer[:400]!r}")
        at = self.buffer.index(mark) + len(mark)
        data, self.buffer = self.buffer[:at], self.buffer[at:]
        return data

    def read_head(self):
        """The next head; interim (1xx) ones are collected in .interim."""
        interim = []
        while True:
            response = Response(self.read_until(b"\r\n\r\n")[:-4])
            if response.status >= 200 or response.status == 101:
                response.interim = interim
                return response
            interim.append(response)

    def read_some(self, count):
        """Exactly count bytes, or fewer at the end of the stream."""
        pieces, have = [self.buffer], len(self.buffer)
        self.buffer = b""
        while have < count:
            try:
                data = self.socket.recv(min(262144, count - have))
            except ConnectionResetError:
                data = b""
            if not data:
                self.ended = True
                break
            pieces.append(data)
            have += len(data)
        data = b"".join(pieces)
        self.buffer = data[count:]
        return data[:count]

    def read_body(self, response, method="GET"):
        coding, lengths = response.get("Transfer-Encoding"), response.all("Content-Length")
        if len(lengths) > 1 or (coding and lengths):
            raise ProtocolError(f"two framings: {response.raw_head!r}")
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            response.framing, response.complete = "none", True
        elif coding:
            if coding.lower() != "chunked":
                raise ProtocolError(f"transfer coding {coding!r}")
            response.framing = "chunked"
            self.read_chunks(response)
        elif lengths:
            if not lengths[0].isdigit():
                raise ProtocolError(f"Content-Length {lengths[0]!r}")
            response.framing = "length"
            response.body = self.read_some(int(lengths[0]))
            response.complete = len(response.body) == int(lengths[0])
        else:
            if self.version == "HTTP/1.1":
                raise ProtocolError(f"neither length nor chunks: {response.raw_head!r}")
            response.framing = "close"
            while self.fill():
                pass
            response.body, self.buffer, response.complete = self.buffer, b"", True
        return response

    def read_chunks(self, response):
        pieces = []
        try:
            while True:
                line = self.read_until(b"\r\n", 4096)[:-2].split(b";")[0]
                size = int(line, 16)
                if size == 0:
                    break
                data = self.read_some(size)
                pieces.append(data)
                if len(data) < size:
                    raise EOFError
                if self.read_some(2) != b"\r\n":
                    raise ProtocolError("chunk without its CRLF")
            while self.read_until(b"\r\n", 8192) != b"\r\n":
                pass
            response.complete = True
        except (ProtocolError, EOFError) as error:
            if not self.ended:
                raise error
        response.body = b"".join(pieces)

    def read_response(self, method="GET"):
        return self.read_body(self.read_head(), method)

    def is_closed(self, wait_s=10.0):
        """Does the peer end the stream within the time, without sending anything more?"""
        if self.buffer:
            return False
        old = self.socket.gettimeout()
        self.socket.settimeout(wait_s * PATIENCE)
        try:
            return not self.fill()
        except socket.timeout:
            return False
        finally:
            self.socket.settimeout(old)

    def is_silent(self, wait_s):
        """Does nothing at all come within the time, neither bytes nor the end?"""
        if self.buffer:
            return False
        old = self.socket.gettimeout()
        self.socket.settimeout(wait_s)
        try:
            self.fill()
            return False
        except socket.timeout:
            return True
        finally:
            self.socket.settimeout(old)


def fetch(port, target="/", method="GET", timeout=20, source=None, **words):
    """One request on its own connection."""
    with Client(port, timeout, source=source) as client:
        words.setdefault("headers", [])
        words["headers"] = [*words["headers"], ("Connection", "close")]
        client.request(target, method, **words)
        return client.read_response(method)


def wait_for(check, limit_s=15.0, what="the condition", step_s=0.05):
    """Asks until check() is true; returns its value. The limit ends a hang: no test is about how soon it comes."""
    limit_s = max(limit_s, 10.0) * PATIENCE
    end = time.monotonic() + limit_s
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true in {limit_s:.0f} s")
        time.sleep(step_s)
