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
        self.client = larder.client(source=source, timeout=30)
        self.target, self.headers = target, headers
        self.thread = None

    def begin(self, seconds):
        self.thread = threading.Thread(target=self.run, args=(seconds,))
        self.thread.start()
        return self

    def run(self, seconds):
        try:
            self.client.request(self.target, headers=self.headers)
            self.status = self.client.read_head().status
            self.take(seconds)
        except Exception as error:  # judged by the test
            self.error = error

    def take(self, seconds):
        self.count = len(self.client.buffer)
        self.client.socket.settimeout(0.2)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                data = self.client.socket.recv(65536)
            except TimeoutError:
                continue
            if not data:
                return
            self.count += len(data)

    def end(self):
        self.thread.join()
        self.client.close()
        if self.error is not None:
            raise self.error
        assert self.status == 200, self.status
        return self.count


def within(got, wanted, share, what=""):
    assert wanted * (1 - share) <= got <= wanted * (1 + share), f"{what}: {got:.0f}, wanted {wanted:.0f} within {share:.0%}"
