"""Tunnels through a forward proxy: raw servers that keep every connection they get, and CONNECT."""
import os
import socket
import threading

from case import free_port, wait_for
from client import Client

RESET = b"\1\0\0\0\0\0\0\0"
MB = 1 << 20


class Server:
    """Listens; each accepted connection goes to serve(socket) in a thread of its own, or waits in .next()."""

    def __init__(self, t, serve=None, backlog=128, host="127.0.0.1", port=0):
        self.listener = socket.create_server((host, port or free_port()), family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                                             backlog=backlog)
        self.port = self.listener.getsockname()[1]
        self.serve, self.waiting, self.count = serve, [], 0
        self.lock = threading.Condition()
        t.undo.append(self.stop)
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        """Whoever comes from now on is refused."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.count += 1
                self.waiting.append(peer)
                self.lock.notify()
            if self.serve:
                threading.Thread(target=self.run, args=(peer,), daemon=True).start()

    def run(self, peer):
        try:
            self.serve(peer)
        except OSError:
            pass

    def next(self, wait_s=60):
        """The connection accepted first of those not yet taken."""
        with self.lock:
            assert self.lock.wait_for(lambda: self.waiting, wait_s), "nobody connected"
            peer = self.waiting.pop(0)
        peer.settimeout(60)
        return peer


class Deaf:
    """A port whose queue is full: whoever connects gets no answer."""

    def __init__(self, t):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        t.undo.append(self.listener.close)
        self.fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self.listener.getsockname())
            self.fillers.append(filler)
            t.undo.append(filler.close)


def echo(peer):
    """What comes goes back; the end too."""
    while data := peer.recv(262144):
        peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
    peer.close()


def forward(t, block="", acl="acl { allow tests to loopback private public port 1-65535; }", **words):
    """A Larder whose second port is the forward proxy "office"."""
    words.setdefault("limits", "drain 2s;")
    proxy_port = free_port()
    extra = words.pop("extra", "")
    larder = t.larder(start=False, **words)
    larder.proxy_port = proxy_port
    larder.write_config(extra=f"{extra}\nlisten 127.0.0.1:{proxy_port} {{ forward office; }}\n"
                              f"forward office {{ {acl} {block} }}\n")
    return larder.start()


def ask(larder, port, host="127.0.0.1", version="1.1", early=b"", fields="", timeout=20, **words):
    """Sends CONNECT; returns the client, nothing read yet."""
    client = Client(larder.proxy_port, timeout, **words)
    client.version = "HTTP/1.1"
    client.send(f"CONNECT {host}:{port} HTTP/{version}\r\nHost: {host}:{port}\r\n{fields}\r\n".encode() + early)
    return client


def connect(larder, port, **words):
    """A tunnel that stands."""
    client = ask(larder, port, **words)
    response = client.read_head()
    assert response.status == 200, response.raw_head
    return client


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    peer.close()


def read_all(peer):
    """Until its end: (bytes, "fin" or "reset")."""
    pieces = []
    while True:
        try:
            data = peer.recv(262144)
        except ConnectionResetError:
            return b"".join(pieces), "reset"
        if not data:
            return b"".join(pieces), "fin"
        pieces.append(data)


def pattern(count, seed):
    """So many bytes that no shift of themselves equals."""
    unit = os.urandom(65521) if seed is None else bytes((i * i * seed + i * 7 + (i >> 8)) & 255 for i in range(65521))
    return (unit * (count // len(unit) + 1))[:count]


def records(larder, count=1):
    return wait_for(lambda: len(larder.access_records()) >= count and larder.access_records(), 10, "the access log")
