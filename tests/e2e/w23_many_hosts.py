"""Thousands of servers behind one forward proxy: memory and descriptors stay bounded, nothing gets slow."""
import os
import resource
import threading
import time

from case import reply, same, slow
from dns import A, NameServer
from w20_names import proxy

HOSTS = 2000


class Everywhere(NameServer):
    """Every name below .many.test is this machine."""

    def answer(self, data):
        at = 12
        while data[at]:
            at += 1 + data[at]
        kind = data[at + 1:at + 3]
        with_address = kind == A.to_bytes(2, "big")
        head = data[:2] + b"\x81\x80\0\1" + (b"\0\1" if with_address else b"\0\0") + b"\0\0\0\0"
        record = b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\x7f\0\0\1" if with_address else b""
        self.questions.append((time.monotonic(), "", A if with_address else 28))
        return head + data[12:at + 5] + record


def descriptors(larder):
    return len(os.listdir(f"/proc/{larder.process.pid}/fd"))


def ask_all(larder, port, hosts, connections=8):
    """Each host once, over a few connections. Returns how long the slowest took."""
    slowest, wrong = [], []

    def run(mine):
        with larder.client(timeout=30) as client:
            for host in mine:
                since = time.monotonic()
                client.send(f"GET http://{host}:{port}/x HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
                response = client.read_response()
                slowest.append(time.monotonic() - since)
                if (response.status, response.body) != (200, host.encode()):
                    wrong.append((host, response.status, response.body))
    threads = [threading.Thread(target=run, args=(hosts[n::connections],)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(wrong[:3], [])
    same(len(slowest), len(hosts))
    return max(slowest)


@slow(240)
def test_two_thousand_hosts(t):
    """2,000 names, each with a connection of its own: at most a quarter of the descriptors is kept, the memory per host is
    small, a second round asks no name server, and figures say so."""
    origin = t.origin(default=reply(lambda request: request.get("Host").split(":")[0].encode(), cache="no-store"))
    server = Everywhere()
    t.undo.append(server.stop)
    larder = proxy(t, server, "timeout connect=10s first_byte=20s idle=20s; keepalive 10000 idle=1h;", start=False, workers=1,
                   access="off")
    larder.start(limits={resource.RLIMIT_NOFILE: 2048})
    hosts = [f"h{n}.many.test" for n in range(HOSTS)]
    ask_all(larder, origin.port, hosts[:100])
    before, room = descriptors(larder), larder.rss_bytes()
    ask_all(larder, origin.port, hosts)
    kept = descriptors(larder)
    assert 500 < kept < 2048 / 4 + 100, (before, kept)
    grown = larder.rss_bytes() - room
    if not larder.is_sanitized():
        assert grown < 40 << 20, grown
    asked = len(server.questions)
    slowest = ask_all(larder, origin.port, hosts)
    same(len(server.questions), asked)
    assert descriptors(larder) < 2048 / 4 + 100
    assert slowest < 25, slowest
    same(larder.admin("/readyz").status, 200)
