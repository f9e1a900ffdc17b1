"""What every test gets: a temporary folder, and helpers that are cleaned up behind it."""
import os
import shutil
import tempfile
import time

from client import Client, ProtocolError, Response, fetch, wait_for  # noqa: F401 (for the tests)
from larder import Larder, die_with_parent, free_port  # noqa: F401 (for the tests)
from nginx import Nginx, program
from origin import Closed, Origin, content, head, http_date, raw, reply, sequence  # noqa: F401 (for the tests)


class Skip(Exception):
    """This test cannot say anything on this machine, and why."""


def slow(seconds):
    """Decorator: this test may take so long."""
    def mark(function):
        function.timeout = seconds
        return function
    return mark


class Case:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="larder-e2e-")
        self.undo = []
        self.origins, self.larders = [], []

    def origin(self, routes=None, **words):
        origin = Origin(routes, **words)
        self.origins.append(origin)
        return origin

    def larder(self, origin=None, start=True, **words):
        """A daemon before this origin (an Origin or a port)."""
        port = origin.port if isinstance(origin, Origin) else origin if origin else free_port()
        larder = Larder(os.path.join(self.folder, f"larder{len(self.larders)}"), port, **words)
        self.larders.append(larder)
        return larder.start() if start else larder

    def nginx(self, files):
        """Debian's nginx as a real origin: {path: bytes}. Returns its port and the log's path."""
        nginx = self.nginxes(1, files)[0]
        return nginx.port, nginx.log

    def nginxes(self, count, files, locations=""):
        """So many of them, in folders, ports and processes of their own; NAME in locations becomes s0, s1, ..."""
        if program() is None:
            raise Skip("nginx is not installed")
        started = []
        for number in range(count):
            folder = os.path.join(self.folder, f"nginx{number}")
            started.append(Nginx(folder, files, locations.replace("NAME", f"s{number}")))
            self.undo.append(started[-1].end)
        return started

    def end(self, judge=True):
        """Stops everything. With judge, a daemon that does not stop cleanly or reported something fails the test."""
        error = None
        for larder in self.larders:
            try:
                if judge:
                    larder.stop()
                elif larder.process is not None:
                    larder.process.kill()
                    larder.process.wait()
            except AssertionError as failure:
                error = error or failure
        for origin in self.origins:
            origin.stop()
            if judge and origin.errors and error is None:
                error = origin.errors[0]
        for undo in reversed(self.undo):
            undo()
        shutil.rmtree(self.folder, ignore_errors=True)
        if error is not None:
            raise error


def same(got, wanted, what=""):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


def same_body(response, wanted):
    """Says where two bodies part instead of printing them."""
    body = response.body
    assert response.complete, f"the answer was cut after {len(body)} bytes: {response.raw_head!r}"
    if body == wanted:
        return
    for at, (a, b) in enumerate(zip(body, wanted)):
        if a != b:
            raise AssertionError(f"wrong byte at {at}: {body[at:at + 40]!r}, wanted {wanted[at:at + 40]!r}")
    raise AssertionError(f"{len(body)} bytes, wanted {len(wanted)}")


def is_refused(larder, data, status=400, wait_s=20):
    """These bytes get this status and the end of the connection, and nothing more."""
    with larder.client(timeout=wait_s) as client:
        client.send(data)
        response = client.read_response()
        statuses = (status,) if isinstance(status, int) else status
        assert response.status in statuses, f"{data[:120]!r}: {response.status}, wanted {status}"
        assert client.is_closed(), f"{data[:120]!r}: the connection stayed open"
    return response


def settle(seconds):
    time.sleep(seconds)
