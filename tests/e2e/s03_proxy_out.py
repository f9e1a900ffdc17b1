"""PROXY protocol towards the origin: each connection says whose request it carries, and carries that one only."""
import socket
import struct

from case import reply, same
from origin import Closed, Origin

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class ProxiedOrigin(Origin):
    """Takes the header off first. headers: what stood there."""

    def __init__(self, t, version, routes):
        self.version, self.headers = version, []
        super().__init__(routes)
        t.origins.append(self)

    def serve(self, conn):
        try:
            if self.version == 1:
                header = conn.read_line()
            else:
                header = conn.read_some(16)
                header += conn.read_some(struct.unpack(">H", header[14:])[0])
        except Closed:
            return
        with self.lock:
            self.headers.append(header)
        super().serve(conn)


def run(t, version):
    origin = ProxiedOrigin(t, version, {"/a": reply("one", cache="no-store"), "/up": reply("two")})
    larder = t.larder(origin, origins=f"proxy_protocol v{version};", workers=1)
    ports = []
    with larder.client(source="127.0.0.5") as client:
        ports.append(client.socket.getsockname()[1])
        for _ in range(3):
            client.request("/a")
            same(client.read_response().body, b"one")
    with larder.client() as client:
        ports.append(client.socket.getsockname()[1])
        client.request("/up", method="POST", body=b"abc")
        same(client.read_response().body, b"two")
    same(origin.connections, 4)  # none is used for a second request
    return origin, ports


def test_version_1(t):
    origin, ports = run(t, 1)
    same(origin.headers, [b"PROXY TCP4 127.0.0.5 0.0.0.0 %d 0" % ports[0]] * 3 +
         [b"PROXY TCP4 127.0.0.1 0.0.0.0 %d 0" % ports[1]])


def test_version_2(t):
    origin, ports = run(t, 2)

    def wanted(address, port):
        return SIGNATURE + b"\x21\x11\0\x0c" + socket.inet_aton(address) + b"\0" * 4 + struct.pack(">HH", port, 0)
    same(origin.headers, [wanted("127.0.0.5", ports[0])] * 3 + [wanted("127.0.0.1", ports[1])])
