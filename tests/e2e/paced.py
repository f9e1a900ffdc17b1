"""A forward proxy with limits, and clients that measure what they get. For the files w40 to w49."""
import threading
import time

from forwarding import ACL


def forward(t, origin=None, block="", start=True, workers=2, **words):
    """A daemon whose clients come to a forward proxy."""
    return t.larder(origin, start=start, workers=workers, listen="forward office;", sites=text(block), **words)


def text(block):
    return f"forward office {{ {ACL} {block} }}\n"


def url(origin, path):
    return f"http://127.0.0.1:{origin.port}{path}"


class Meter:
    """One connection that takes what comes for some seconds, and counts."""

    def __init__(self, larder, target, source=None, headers=(), size=None):
        self.count, self.error, self.status = 0, None, None
        self.until, self.took = 0.0, 0.0
        self.client = larder.client(source=source, timeout=30)
        self.target, self.headers = target, headers
        self.thread = None

    def begin(self, seconds):
        self.thread = threading.Thread(target=self.run, args=(seconds,))
        self.thread.start()
        return self

    def run(self, seconds):
        began = time.monotonic()
        try:
            self.client.request(self.target, headers=self.headers)
            self.status = self.client.read_head().status
            self.take(seconds)
        except Exception as error:  # judged by the test
            self.error = error
        self.took = time.monotonic() - began

    def take(self, seconds):
        self.count = len(self.client.buffer)
        self.client.socket.settimeout(0.2)
        self.until = time.monotonic() + seconds
        while time.monotonic() < self.until:
            try:
                data = self.client.socket.recv(65536)
            except TimeoutError:
                continue
            if not data:
                return
            self.count += len(data)

    def finish(self):
        """Takes no more, before its seconds are over."""
        self.until = 0.0

    def end(self):
        self.thread.join()
        self.client.close()
        if self.error is not None:
            raise self.error
        assert self.status == 200, self.status
        return self.count


# What is promised is an upper bound; how near the bytes come to it is also up to the machine.

def at_most(count, rate, seconds, what="", free=0):
    """No more than the rate allows in the seconds that passed from before the first byte, its burst, and `free`."""
    most = rate * seconds * 1.02 + free + max(rate / 10, 4096) + 65536
    assert count <= most, f"{what}: {count} bytes in {seconds:.2f} s, allowed are {most:.0f}"


def paced(count, rate, seconds, what="", free=0):
    """That, and a good part of it, on a machine that stands still now and then."""
    at_most(count, rate, seconds, what, free)
    least = rate * seconds * 0.25 + free * 0.9
    assert count >= least, f"{what}: {count} bytes in {seconds:.2f} s, at least {least:.0f} should be"


def even(counts, what=""):
    """Shares of one flow: nobody has next to nothing, nobody nearly all."""
    mean = sum(counts) / len(counts)
    assert min(counts) >= mean * 0.4 and max(counts) <= mean * 2, f"{what}: {counts}"
