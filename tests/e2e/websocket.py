"""WebSocket (RFC 6455) by hand, for both ends: enough to be strict about what passes between them."""
import base64
import hashlib
import os
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def mask(data, key):
    whole = (key * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(whole, "big")).to_bytes(len(data), "big")


def frame(data, opcode=TEXT, fin=True, masked=True):
    length = len(data)
    head = bytes([(0x80 if fin else 0) | opcode])
    bit = 0x80 if masked else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", length)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", length)
    if not masked:
        return head + data
    key = os.urandom(4)
    return head + key + mask(data, key)


class Peer:
    """One side; read(count) gives exactly so many bytes or raises, send(data) sends them."""

    def __init__(self, read, send, masks):
        self.read, self.send_bytes, self.masks = read, send, masks

    def send(self, data, opcode=TEXT, pieces=1):
        """One message, in so many frames."""
        size = max(1, -(-len(data) // pieces))
        parts = [data[at:at + size] for at in range(0, len(data), size)] or [b""]
        for number, part in enumerate(parts):
            self.send_bytes(frame(part, opcode if number == 0 else 0, number == len(parts) - 1, self.masks))

    def read_frame(self):
        first, second = self.read(2)
        length = second & 0x7f
        if length == 126:
            length = struct.unpack(">H", self.read(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.read(8))[0]
        assert bool(second & 0x80) != self.masks, "masked by the wrong side"
        key = self.read(4) if second & 0x80 else None
        data = self.read(length)
        return first & 0x0f, bool(first & 0x80), mask(data, key) if key else data

    def receive(self):
        """(opcode, data, frames) of the next message."""
        opcode, fin, data = self.read_frame()
        pieces = [data]
        while not fin:
            more, fin, data = self.read_frame()
            assert more == 0, f"opcode {more} inside a message"
            pieces.append(data)
        return opcode, b"".join(pieces), len(pieces)


def server(conn, request, headers=(), switch=b""):
    """Answers 101 (and at once `switch`) on a connection of origin.py; returns the peer."""
    from origin import head
    conn.send(head(101, [("Upgrade", "websocket"), ("Connection", "Upgrade"),
                         ("Sec-WebSocket-Accept", accept_of(request.get("Sec-WebSocket-Key"))), *headers],
                   reason="Switching Protocols") + switch)
    conn.keep = False
    return Peer(conn.read_some, conn.send, False)


def echo(conn, request):
    """An origin that sends every message back as it came, until it is told to close."""
    peer = server(conn, request)
    while True:
        opcode, data, frames = peer.receive()
        peer.send(data, PONG if opcode == PING else opcode, frames)
        if opcode == CLOSE:
            return


def connect(client, target="/ws", headers=(), host="site.test", extra=b""):
    """Opens one on a client of client.py; returns (the 101, peer). extra: bytes right behind the request."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "Connection: keep-alive, Upgrade", "Upgrade: websocket",
             f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *(f"{name}: {value}" for name, value in headers)]
    client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + extra)
    response = client.read_head()
    if response.status == 101:
        assert response.get("Sec-WebSocket-Accept") == accept_of(key), response.raw_head

    def read(count):
        data = client.read_some(count)
        if len(data) < count:
            raise EOFError(f"{len(data)} of {count} bytes")
        return data
    return response, Peer(read, client.send, True)
