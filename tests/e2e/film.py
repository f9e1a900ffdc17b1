"""A large file and its origin, for the tests of parts: bytes by path and version, what was asked and sent is counted."""
import re
import threading

from case import content, head, same, same_body, wait_for
from k01_ranges import ranged

MIB = 1 << 20
GIB = 1 << 30
TYPE = "text/x-thing; a=b"


class Film:
    """An origin's large file. Any byte of it is a function of its place and of the version; every answer is noted:
    (Range, If-Range, status, body bytes that went out)."""

    def __init__(self, size=GIB, version=1, etag='"v{}"', headers=(), cache="max-age=600", chunked=False):
        self.size, self.version, self.etag, self.headers, self.cache = size, version, etag, list(headers), cache
        self.chunked = chunked
        self.answers = []
        self.gate = threading.Event()  # bodies wait for it
        self.gate.set()
        self.patterns = {}
        self.ignore_range = self.ignore_if_range = False
        self.cut_after = None  # bytes of a body, then the connection ends
        self.also = None  # called with each request

    def bytes(self, first, last, version=None):
        version = version or self.version
        if version not in self.patterns:
            self.patterns[version] = content(f"film {version}", MIB - 37)  # never the same at two cells' starts
        pattern = self.patterns[version]
        at = first % len(pattern)
        count = last - first + 1
        return (pattern * ((at + count) // len(pattern) + 1))[at:at + count]

    def tag(self):
        return self.etag.format(self.version) if self.etag else None

    def fields(self):
        fields = [("Cache-Control", self.cache), ("Content-Type", TYPE), *self.headers]
        return fields + ([("ETag", self.tag())] if self.etag else [])

    def send(self, conn, note, fields, first, last):
        count = last - first + 1
        if self.chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        else:
            fields.append(("Content-Length", str(count)))
        conn.send(head(note[2], fields))
        for at in range(first, last + 1, 65536):
            self.gate.wait(30)
            data = self.bytes(at, min(at + 65535, last))
            if self.cut_after is not None and note[3] + len(data) > self.cut_after:
                conn.send(data[:self.cut_after - note[3]])
                conn.close()
                return
            note[3] += len(data)  # before: the client may have it before we come to the next line
            conn.send(b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data)
        if self.chunked:
            conn.send(b"0\r\n\r\n")

    def __call__(self, conn, request):
        note = [request.get("Range"), request.get("If-Range"), 200, 0]
        self.answers.append(note)
        if self.also:
            self.also(request)
        fields = self.fields()
        if self.etag and self.tag() in (request.get("If-None-Match") or ""):
            note[2] = 304
            conn.send(head(304, fields))
            return
        holds = self.ignore_if_range or note[1] is None or note[1] == self.tag() or ("Last-Modified", note[1]) in self.headers
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", note[0] or "")
        if self.ignore_range or not found or not holds:
            self.send(conn, note, fields, 0, self.size - 1)
            return
        if found[1]:
            first, last = int(found[1]), min(int(found[2] or self.size), self.size - 1)
        else:
            first, last = max(0, self.size - int(found[2])), self.size - 1
        if first >= self.size:
            note[2] = 416
            conn.send(head(416, [("Content-Range", f"bytes */{self.size}"), ("Content-Length", "0"),
                                 ("Cache-Control", self.cache)]))
            return
        note[2] = 206
        self.send(conn, note, fields + [("Content-Range", f"bytes {first}-{last}/{self.size}")], first, last)

    def ranges(self):
        return [note[0] for note in self.answers]

    def sent(self):
        return sum(note[3] for note in self.answers)


def film(t, *words, larder=None, **more):
    """(larder, film): a film under /film."""
    made = Film(*words, **more)
    origin = t.origin({"/film": made})
    return t.larder(origin, **{"size": "512M", "memory": "64M", **(larder or {})}), made


def is_of(response, made, first, last, version=None):
    same(response.status, 206, response)
    same(response.get("Content-Range"), f"bytes {first}-{last}/{made.size}")
    same(response.get("Content-Length"), str(last - first + 1))
    same(response.get("Content-Type"), TYPE)
    same_body(response, made.bytes(first, last, version))


def ask(larder, value, headers=(), **words):
    return ranged(larder, value, "/film", headers, **words)


def rests(larder):
    """Nothing is being fetched for the store any more."""
    wait_for(lambda: larder.metrics()["larder_store_fills"] == 0, what="the end of the fetches")


def came(larder, made, count):
    """The origin has sent so many bytes in all, and they are stored."""
    wait_for(lambda: made.sent() == count, what=f"{count} bytes")
    rests(larder)
