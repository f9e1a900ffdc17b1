"""A scripted name server on UDP: records by name and type, silence, failures, and every question kept."""
import socket
import struct
import threading
import time

A, CNAME, AAAA = 1, 5, 28
NXDOMAIN, SERVFAIL = 3, 2


def encode(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


class NameServer:
    """names: name -> list of ("A" address, "AAAA" address or "CNAME" name) as (type, text, ttl); or an rcode; or None for
    silence. silences: (name, type) -> so many questions that are not answered."""

    def __init__(self, names=None):
        self.names = dict(names or {})
        self.silent = False
        self.silences = {}
        self.questions = []  # (time, name, type)
        self.ids = []            # (name, type, what the answer is known by: the same when it is asked once more)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                data, peer = self.socket.recvfrom(2048)
            except OSError:
                return
            if not data:
                return
            answer = self.answer(data)
            if answer is not None:
                self.socket.sendto(answer, peer)

    def answer(self, data):
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
        name = ".".join(labels).lower()
        kind, = struct.unpack("!H", data[at + 1:at + 3])
        self.questions.append((time.monotonic(), name, kind))
        self.ids.append((name, kind, data[:2]))
        known = self.names.get(name, NXDOMAIN)
        if self.silent or known is None or self.silences.get((name, kind), 0) > 0:
            self.silences[name, kind] = self.silences.get((name, kind), 0) - 1
            return None
        rcode, records = (known, []) if isinstance(known, int) else (0, self.records(name, kind))
        head = data[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, len(records), 0, 0)
        return head + data[12:at + 5] + b"".join(records)

    def records(self, name, kind):
        out = []
        for what, text, ttl in self.names.get(name, []):
            if what == "CNAME":
                out.append(self.record(name, CNAME, ttl, encode(text)))
                out += self.records(text, kind)
            elif what == "A" and kind == A:
                out.append(self.record(name, A, ttl, socket.inet_pton(socket.AF_INET, text)))
            elif what == "AAAA" and kind == AAAA:
                out.append(self.record(name, AAAA, ttl, socket.inet_pton(socket.AF_INET6, text)))
        return out

    @staticmethod
    def record(name, kind, ttl, data):
        return encode(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data

    def asked(self, name):
        return len([1 for _, question, kind in self.questions if question == name and kind == A])

    def lookups(self, name):
        """Like asked, but for questions repeated because an answer was late. Of a lookup that takes more than a second there
        are two: each family is asked for alone as well."""
        return len({number for question, kind, number in self.ids if question == name and kind == A})

    def stop(self):
        """Ends the thread: an empty datagram wakes it."""
        waker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        waker.sendto(b"", ("127.0.0.1", self.port))
        waker.close()
        self.thread.join(5)
        self.socket.close()
