"""Connects that are given up before the origin has answered them."""
import socket
import struct
import threading
import time

from case import same


class Deaf:
    """An origin whose queue of connections is full until it is opened."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)

    def open(self):
        for filler in self.fillers:
            filler.close()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        conn.settimeout(60)
        try:
            while conn.recv(65536):
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except OSError:
            pass


def test_clients_leave_during_the_connect(t):
    """The descriptors of connects that were given up come again, and nothing old sticks to them."""
    origin = Deaf()
    t.undo.append(origin.listener.close)
    larder = t.larder(origin.port, workers=1, timeouts="connect=60s first_byte=20s idle=20s")
    for _ in range(4):
        client = larder.client()
        client.request("/x", method="POST", body=b"abc")
        time.sleep(0.2)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        time.sleep(0.2)
    origin.open()
    time.sleep(1.2)
    for number in range(4):
        response = larder.fetch(f"/{number}")
        same((response.status, response.body), (200, b"ok"))
