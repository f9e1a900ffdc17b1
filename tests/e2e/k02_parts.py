"""Parts of large representations (RFC 9111 3.3, 3.4; RFC 9110 15.3.7)."""
import re
import threading
import time

from case import Closed, content, head, http_date, reply, same, same_body, slow, wait_for
from k01_ranges import parts_of, ranged

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
            conn.send(b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data)
            note[3] += len(data)
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


def test_a_small_file_is_stored_whole(t):
    """A 206 that brings everything is the 200 it is a part of."""
    larder, made = film(t, 10000)
    first = ask(larder, "bytes=100-199")
    is_of(first, made, 100, 199)
    same(made.ranges(), [f"bytes=0-{MIB - 1}"])
    assert "fwd=uri-miss" in first.cache_status and "stored" in first.cache_status, first
    same(first.get("Age"), None)
    whole = larder.fetch("/film")
    same((whole.status, whole.reason, whole.get("Content-Range")), (200, "OK", None))
    same(whole.get("Content-Length"), "10000")
    same_body(whole, made.bytes(0, 9999))
    assert whole.is_hit, whole
    same(len(made.answers), 1)


def test_first_range_of_a_large_file(t):
    """It does not wait for the rest; its neighbours are hits without a byte from the origin."""
    larder, made = film(t)
    first = ask(larder, "bytes=500000000-500000099")
    is_of(first, made, 500000000, 500000099)
    assert "fwd=uri-miss" in first.cache_status, first
    same(first.get("Age"), None)
    cell = 500000000 // MIB * MIB
    same(made.ranges(), [f"bytes={cell}-{cell + MIB - 1}"])
    came(larder, made, MIB)
    for value, first, last in (("bytes=500000000-500000099", 500000000, 500000099),
                               (f"bytes={cell}-{cell + MIB - 1}", cell, cell + MIB - 1),
                               (f"bytes={cell + 5}-{cell + 5}", cell + 5, cell + 5)):
        response = ask(larder, value)
        is_of(response, made, first, last)
        assert response.is_hit and response.age >= 0, response
    same((len(made.answers), made.sent()), (1, MIB))


def test_the_first_byte_does_not_wait_for_the_last(t):
    """Bytes go to the client as they come, also those of a part."""
    larder, made = film(t)
    made.gate.clear()
    with larder.client() as client:
        client.request("/film", headers=[("Range", "bytes=2097152-")])
        response = client.read_head()
        same(response.get("Content-Range"), f"bytes 2097152-{GIB - 1}/{GIB}")
        made.gate.set()
        same(client.read_some(5000), made.bytes(2097152, 2097152 + 4999))


@slow(120)
def test_parts_survive_kill_and_restart(t):
    larder, made = film(t)
    for at in (0, 700 * MIB + 5, 1023 * MIB):
        is_of(ask(larder, f"bytes={at}-{at + 999}"), made, at, at + 999)
    came(larder, made, 3 * MIB)
    time.sleep(3)
    larder.kill()
    larder.start()
    for _ in range(2):
        for at in (0, 700 * MIB + 5, 1023 * MIB):
            response = ask(larder, f"bytes={at}-{at + 999}")
            is_of(response, made, at, at + 999)
            assert response.is_hit, response
        larder.restart()
    same(made.sent(), 3 * MIB)
    response = ask(larder, f"bytes={800 * MIB}-{800 * MIB + 9}")
    is_of(response, made, 800 * MIB, 800 * MIB + 9)
    same(made.answers[-1][1], '"v1"')


@slow(120)
def test_nothing_is_stored_twice(t):
    """What the store writes is about what was fetched, however often and in whatever shape it is asked for."""
    larder, made = film(t)
    for _ in range(3):
        for at in range(0, 8):
            is_of(ask(larder, f"bytes={at * MIB + 7 * at}-{at * MIB + 500000}"), made, at * MIB + 7 * at, at * MIB + 500000)
        is_of(ask(larder, f"bytes=0-{8 * MIB - 1}"), made, 0, 8 * MIB - 1)
    came(larder, made, 8 * MIB)
    same(len(made.answers), 8)
    wait_for(lambda: larder.metrics()["larder_store_queued_write_bytes"] == 0, what="the queue")
    time.sleep(1)
    written = larder.metrics()["larder_store_written_bytes_total"]
    assert 8 * MIB < written < 8 * MIB * 1.1, written


@slow(180)
def test_full_get_completes_it(t):
    larder, made = film(t, 20 * MIB + 12345)
    is_of(ask(larder, f"bytes={7 * MIB}-{7 * MIB + 9}"), made, 7 * MIB, 7 * MIB + 9)
    response = larder.fetch("/film", timeout=60)
    same((response.status, response.get("Content-Length")), (200, str(made.size)))
    same_body(response, made.bytes(0, made.size - 1))
    assert "fwd=partial" in response.cache_status and "detail=range_absent" in response.cache_status, response
    assert response.age >= 0
    same(made.sent(), made.size)
    same(sorted(set(made.ranges())), sorted(made.ranges()))
    for _ in range(2):
        response = larder.fetch("/film", timeout=60)
        same_body(response, made.bytes(0, made.size - 1))
        assert response.is_hit, response
    is_of(ask(larder, "bytes=-100"), made, made.size - 100, made.size - 1)
    same(made.sent(), made.size)
    same(made.answers[-1][0], f"bytes={20 * MIB}-")


@slow(120)
def test_a_player(t):
    """bytes=0- and away, seeks, and reads on: the origin sends little more than was looked at."""
    larder, made = film(t)
    for start, looked in ((0, 300_000), (600 * MIB + 17, 3 * MIB), (10 * MIB - 5, 2 * MIB), (0, 2_500_000)):
        with larder.client() as client:
            client.request("/film", headers=[("Range", f"bytes={start}-")])
            response = client.read_head()
            same(response.get("Content-Range"), f"bytes {start}-{GIB - 1}/{GIB}")
            data = client.read_some(looked)
            assert data == made.bytes(start, start + looked - 1), "wrong bytes"
    time.sleep(1)
    first = made.sent()
    looked = 300_000 + 3 * MIB + 2 * MIB + 2_500_000
    assert first < looked + 24 * MIB, (first, made.ranges())
    same(sorted(set(made.ranges())), sorted(made.ranges()))
    rests(larder)
    before = len(made.answers)
    response = ask(larder, "bytes=0-2499999")
    is_of(response, made, 0, 2499999)
    assert response.is_hit, response
    same(len(made.answers), before)


def test_prefetch_is_one_ahead(t):
    """The next part is asked for when the one before begins to come, and no other."""
    larder, made = film(t)
    made.gate.clear()
    with larder.client() as client:
        client.request("/film", headers=[("Range", "bytes=5-")])
        wait_for(lambda: len(made.answers) >= 2, what="the second part")
        time.sleep(0.7)
        same(made.ranges(), [f"bytes=0-{MIB - 1}", f"bytes={MIB}-{2 * MIB - 1}"])
    made.gate.set()
    came(larder, made, 2 * MIB)  # what was begun is stored, though its client left


@slow(120)
def test_two_at_once_make_one_request(t):
    larder, made = film(t)
    for start in (0, 100 * MIB):
        made.gate.clear()
        before = len(made.answers)
        answers = []
        threads = [threading.Thread(target=lambda at=at: answers.append((at, ask(larder, f"bytes={at}-{at + 9999}"))))
                   for at in [start + 1000 * n for n in range(16)]]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(made.answers) > before, what="a request")
        time.sleep(0.7)
        made.gate.set()
        for thread in threads:
            thread.join()
        same(made.answers[before + 1:], [], [response.cache_status for _, response in answers])
        for at, response in answers:
            is_of(response, made, at, at + 9999)
        same(len(answers), 16)


@slow(120)
def test_another_version_while_parts_are_stored(t):
    """The first part that shows it replaces all, for everybody."""
    larder, made = film(t, 5 * MIB)
    is_of(ask(larder, "bytes=0-9"), made, 0, 9)
    came(larder, made, MIB)
    made.version = 2
    response = ask(larder, f"bytes={3 * MIB}-{3 * MIB + 99}")
    is_of(response, made, 3 * MIB, 3 * MIB + 99, version=2)
    same(response.get("ETag"), '"v2"')
    same(made.answers[1][:3], [f"bytes={3 * MIB}-{4 * MIB - 1}", '"v1"', 200])
    response = ask(larder, "bytes=0-9")
    is_of(response, made, 0, 9, version=2)
    same_body(larder.fetch("/film"), made.bytes(0, made.size - 1, 2))


@slow(120)
def test_another_version_behind_what_is_stored(t):
    """The head waits for the first part that is absent: the answer is all new."""
    larder, made = film(t, 5 * MIB)
    is_of(ask(larder, "bytes=0-9"), made, 0, 9)
    came(larder, made, MIB)
    made.version = 2
    is_of(ask(larder, "bytes=0-"), made, 0, made.size - 1, version=2)
    same_body(larder.fetch("/film"), made.bytes(0, made.size - 1, 2))


@slow(120)
def test_another_version_in_the_middle_of_an_answer(t):
    """No answer is put together of two versions: it is cut, and the next one is all new."""
    larder, made = film(t, 5 * MIB)
    for cell in (0, 2):
        ask(larder, f"bytes={cell * MIB}-{cell * MIB + 9}")
    came(larder, made, 2 * MIB)

    def change(request):
        if request.get("Range", "").startswith(f"bytes={3 * MIB}-"):
            made.version = 2
    made.also = change
    response = ask(larder, "bytes=0-")
    same((response.status, made.version), (206, 2))
    assert not response.complete and response.body == made.bytes(0, len(response.body) - 1, 1), response
    response = ask(larder, "bytes=0-")
    is_of(response, made, 0, made.size - 1, version=2)


@slow(120)
def test_part_that_may_not_be_stored(t):
    """What is stored is of use to all; a client whose part may not join it gets the origin's own answer, whole."""
    larder, made = film(t, 5 * MIB)
    cells = (0, 1, 3)
    for cell in cells:
        ask(larder, f"bytes={cell * MIB}-{cell * MIB + 9}")
    came(larder, made, len(cells) * MIB)
    alice = [("Authorization", "Basic YWxpY2U=")]
    for value in ("bytes=0-", f"bytes=5-{4 * MIB}", f"bytes=0-9,{2 * MIB}-{2 * MIB + 9},{3 * MIB}-"):
        for _ in range(2):
            response = ask(larder, value, alice)
            assert response.complete and response.status in (200, 206), response
            if "," not in value:
                is_of(response, made, *((5, 4 * MIB) if "5-" in value else (0, made.size - 1)))
    response = larder.fetch("/film", headers=alice)
    same_body(response, made.bytes(0, made.size - 1))
    response = ask(larder, "bytes=0-9", alice)
    assert response.is_hit, response
    is_of(ask(larder, "bytes=0-"), made, 0, made.size - 1)


@slow(120)
def test_origin_away_behind_what_is_stored(t):
    """What is here is sent, and cut where it ends."""
    larder, made = film(t, 5 * MIB)
    for cell in (0, 1):
        ask(larder, f"bytes={cell * MIB}-{cell * MIB + 9}")
    came(larder, made, 2 * MIB)
    t.origins[0].shut()
    for value in ("bytes=10-", None):
        response = ask(larder, value) if value else larder.fetch("/film")
        same((response.status, response.complete), (206 if value else 200, False))
        same(response.body == made.bytes(10 if value else 0, 2 * MIB - 1), True)


@slow(120)
def test_size_is_part_of_the_version(t):
    larder, made = film(t, 5 * MIB, etag='"same"')
    is_of(ask(larder, "bytes=0-9"), made, 0, 9)
    came(larder, made, MIB)
    made.size = 4 * MIB
    response = ask(larder, f"bytes={3 * MIB}-{3 * MIB + 9}")
    is_of(response, made, 3 * MIB, 3 * MIB + 9)


@slow(120)
def test_strong_date_joins_parts(t):
    modified = http_date(-86400)
    larder, made = film(t, 5 * MIB, etag=None, headers=[("Last-Modified", modified)])
    for cell in range(5):
        is_of(ask(larder, f"bytes={cell * MIB}-{cell * MIB + 9}"), made, cell * MIB, cell * MIB + 9)
    same([note[1] for note in made.answers], [None] + [modified] * 4)
    came(larder, made, made.size)
    response = larder.fetch("/film")
    same_body(response, made.bytes(0, made.size - 1))
    assert response.is_hit, response


@slow(120)
def test_no_strong_validator_joins_nothing(t):
    """Only what a single response brought is used (RFC 9111 3.4)."""
    for number, (etag, headers) in enumerate(((None, []), ('W/"w{}"', []), (None, [("Last-Modified", http_date(0))]))):
        made = Film(5 * MIB, etag=etag, headers=headers)
        larder = t.larder(t.origin({"/film": made}))
        is_of(ask(larder, "bytes=100-199"), made, 100, 199)
        came(larder, made, MIB)
        for first, last in ((100, 199), (0, MIB - 1), (5, 5)):
            response = ask(larder, f"bytes={first}-{last}")
            is_of(response, made, first, last)
            assert response.is_hit, response
        same(len(made.answers), 1)
        # two cells of one response are two responses here: the client's own request
        response = ask(larder, f"bytes={MIB - 10}-{MIB + 9}")
        is_of(response, made, MIB - 10, MIB + 9)
        assert not response.is_hit, response
        wait_for(lambda: made.answers[-1] == [f"bytes={MIB - 10}-{MIB + 9}", None, 206, 20], what="the client's own request")
        assert ask(larder, "bytes=100-199").is_hit, number
        # another cell takes the place of the first
        response = ask(larder, f"bytes={2 * MIB}-{2 * MIB + 9}")
        is_of(response, made, 2 * MIB, 2 * MIB + 9)
        assert not response.is_hit, response
        wait_for(lambda: made.answers[-1][3] == MIB, what="the other cell")
        rests(larder)
        assert ask(larder, f"bytes={2 * MIB}-{2 * MIB + 9}").is_hit
        made.version = 2
        is_of(ask(larder, "bytes=0-9"), made, 0, 9, version=2)
        response = larder.fetch("/film")
        same_body(response, made.bytes(0, made.size - 1))
        same(made.answers[-1][:2], [None, None])
        assert larder.fetch("/film").is_hit
        larder.stop()


@slow(120)
def test_origin_that_ignores_range(t):
    """Its 200 is stored as ever; what is asked for is served from it as it comes."""
    larder, made = film(t, 3 * MIB)
    made.ignore_range = True
    response = ask(larder, f"bytes={2 * MIB}-{2 * MIB + 9}")
    is_of(response, made, 2 * MIB, 2 * MIB + 9)
    came(larder, made, made.size)
    response = ask(larder, "bytes=0-9")
    is_of(response, made, 0, 9)
    assert response.is_hit, response
    same(len(made.answers), 1)


@slow(120)
def test_origin_that_stops_serving_ranges(t):
    larder, made = film(t, 3 * MIB)
    is_of(ask(larder, "bytes=0-9"), made, 0, 9)
    came(larder, made, MIB)
    made.ignore_range = True
    is_of(ask(larder, f"bytes={2 * MIB}-{2 * MIB + 9}"), made, 2 * MIB, 2 * MIB + 9)
    response = ask(larder, "bytes=0-")
    is_of(response, made, 0, made.size - 1)


@slow(120)
def test_origin_that_closes_inside_a_part(t):
    """The client is cut where the origin was, and the piece is not stored."""
    larder, made = film(t, 5 * MIB)
    is_of(ask(larder, "bytes=0-9"), made, 0, 9)
    came(larder, made, MIB)
    made.cut_after = 200_000
    response = ask(larder, f"bytes={MIB}-{MIB + 999_999}")
    if response.status == 206:
        assert not response.complete, response
        same(response.body, made.bytes(MIB, MIB + len(response.body) - 1))
    else:
        same(response.status, 502)  # the end was there before the head was on its way
    made.cut_after = None
    response = ask(larder, f"bytes={MIB}-{MIB + 999_999}")
    is_of(response, made, MIB, MIB + 999_999)
    assert not response.is_hit, response
    assert ask(larder, f"bytes={MIB}-{MIB + 999_999}").is_hit


def test_chunked_parts_that_are_short(t):
    """The framing is whole, but the Content-Range promised more: not stored."""
    body = content("/short", 5000)

    def behave(conn, request):
        if request.get("Range"):
            conn.send(head(206, [("Cache-Control", "max-age=600"), ("ETag", '"s"'), ("Content-Range", "bytes 0-2999/5000"),
                                 ("Transfer-Encoding", "chunked")]))
            conn.send(b"%x\r\n%s\r\n0\r\n\r\n" % (2000, body[:2000]))
        else:
            reply(body, cache="max-age=600", headers=[("ETag", '"s"')])(conn, request)
    larder = t.larder(t.origin({"/short": behave}))
    response = larder.fetch("/short", headers=[("Range", "bytes=0-2999")])
    assert not response.complete, response
    response = larder.fetch("/short", headers=[("Range", "bytes=0-2999")])
    assert not response.is_hit, response


@slow(120)
def test_chunked_parts(t):
    larder, made = film(t, 3 * MIB, chunked=True)
    is_of(ask(larder, "bytes=5-9"), made, 5, 9)
    is_of(ask(larder, f"bytes={MIB - 5}-{MIB + 4}"), made, MIB - 5, MIB + 4)
    came(larder, made, 2 * MIB)
    assert ask(larder, f"bytes={MIB - 5}-{MIB + 4}").is_hit


@slow(120)
def test_purges(t):
    larder, made = film(t, 5 * MIB)

    def see(hit):
        response = ask(larder, f"bytes={3 * MIB}-{3 * MIB + 9}")
        is_of(response, made, 3 * MIB, 3 * MIB + 9)
        same(response.is_hit, hit, response)
        wait_for(lambda: made.answers[-1][3] == MIB or made.answers[-1][2] == 304, what="the cell")
        rests(larder)
        return response
    see(False)
    see(True)
    same(larder.purge(larder.url("/film"))["matched"], 1)
    see(False)
    same(made.answers[-1][:2], [f"bytes={3 * MIB}-{4 * MIB - 1}", None])
    see(True)
    before = made.sent()
    larder.purge(larder.url("/film"), mode="soft")
    response = see(False)  # validated: the parts live on
    same(made.answers[-1][2:], [304, 0])
    see(True)
    same(made.sent(), before)
    larder.purge(larder.url("/film"), mode="soft")
    made.version = 2
    response = see(False)
    same(response.get("ETag"), '"v2"')
    same(made.answers[-1][:3], [f"bytes={3 * MIB}-{4 * MIB - 1}", None, 206])
    see(True)


@slow(120)
def test_validation_keeps_the_parts(t):
    """Stale: one conditional request, whatever is asked for, and no byte again."""
    larder, made = film(t, 5 * MIB, cache="max-age=1")
    for cell in range(3):
        is_of(ask(larder, f"bytes={cell * MIB}-{cell * MIB + 9}"), made, cell * MIB, cell * MIB + 9)
    came(larder, made, 3 * MIB)
    time.sleep(2.2)
    response = ask(larder, "bytes=5-9")
    is_of(response, made, 5, 9)
    same(made.answers[-1][2:], [304, 0])
    assert "fwd=stale" in response.cache_status, response
    time.sleep(2.2)
    response = ask(larder, f"bytes=0-{3 * MIB - 1}")
    is_of(response, made, 0, 3 * MIB - 1)
    same(made.sent(), 3 * MIB)


@slow(120)
def test_a_newer_part_renews_the_fields(t):
    """What is combined has the fields of the newest response (RFC 9111 3.4): its Date and lifetime too."""
    larder, made = film(t, 5 * MIB, cache="max-age=3", headers=[("X-Time", "1")])
    is_of(ask(larder, "bytes=0-9"), made, 0, 9)
    came(larder, made, MIB)
    time.sleep(2.1)
    made.headers = [("X-Time", "2")]
    is_of(ask(larder, f"bytes={MIB}-{MIB + 9}"), made, MIB, MIB + 9)
    came(larder, made, 2 * MIB)
    time.sleep(1.5)
    response = ask(larder, "bytes=0-9")
    is_of(response, made, 0, 9)
    assert response.is_hit and response.age < 3, response
    same(response.all("X-Time"), ["2"])
    same(len(made.answers), 2)


@slow(120)
def test_soft_purge_while_a_part_is_fetched(t):
    """The part's answer is to a request from before the purge: it does not undo it."""
    larder, made = film(t, 5 * MIB)
    is_of(ask(larder, "bytes=0-9"), made, 0, 9)
    came(larder, made, MIB)
    time.sleep(1.1)  # the part's Date is later

    def purge(_request):
        made.also = None
        same(larder.purge(larder.url("/film"), mode="soft")["matched"], 1)
    made.also = purge
    is_of(ask(larder, f"bytes={MIB}-{MIB + 9}"), made, MIB, MIB + 9)
    came(larder, made, 2 * MIB)
    is_of(ask(larder, "bytes=0-9"), made, 0, 9)
    same(made.answers[-1][2], 304)


@slow(120)
def test_head_renews_a_parent(t):
    """RFC 9111 4.3.5: its length is that of the representation."""
    larder, made = film(t, 5 * MIB, cache="max-age=2")
    is_of(ask(larder, "bytes=0-9"), made, 0, 9)
    came(larder, made, MIB)
    plain = made.send
    made.send = lambda conn, note, fields, first, last: conn.send(head(200, [
        *fields, ("Content-Length", str(made.size))]))
    time.sleep(2.2)
    larder.fetch("/film", "HEAD")
    made.send = plain
    response = ask(larder, "bytes=0-9")
    is_of(response, made, 0, 9)
    assert response.is_hit, response


@slow(120)
def test_origin_that_answers_a_validation_with_the_part(t):
    """The same representation by its strong validator: as good as a 304, the parts live on."""
    larder, made = film(t, 5 * MIB, cache="max-age=1")
    for cell in range(2):
        is_of(ask(larder, f"bytes={cell * MIB}-{cell * MIB + 9}"), made, cell * MIB, cell * MIB + 9)
    came(larder, made, 2 * MIB)
    tag, made.etag, made.headers = made.tag(), None, [("ETag", made.tag())]
    time.sleep(2.2)
    made.cache = "max-age=600"
    is_of(ask(larder, "bytes=5-9"), made, 5, 9)
    same(made.answers[-1][2], 206)
    response = ask(larder, f"bytes={MIB}-{MIB + 9}")
    is_of(response, made, MIB, MIB + 9)
    assert response.is_hit, response
    same(response.get("ETag"), tag)


@slow(120)
def test_several_ranges_over_parts(t):
    larder, made = film(t, 8 * MIB)
    wanted = f"bytes={5 * MIB - 3}-{5 * MIB + 2},10-19,{7 * MIB}-{7 * MIB + 99}"
    body = made.bytes(0, made.size - 1)
    parts = [(5 * MIB - 3, 5 * MIB + 2), (10, 19), (7 * MIB, 7 * MIB + 99)]
    same(parts_of(ask(larder, wanted), body), parts)
    came(larder, made, 4 * MIB)
    rests(larder)
    response = ask(larder, wanted)
    same(parts_of(response, body), parts)
    assert response.is_hit, response
    same(len(made.answers), 4)
    is_of(ask(larder, "bytes=12-15"), made, 12, 15)
    same(len(made.answers), 4)


@slow(120)
def test_suffix_of_what_is_not_known(t):
    """The client's own suffix is asked for: one round trip, and no byte too many."""
    larder, made = film(t, 7 * MIB + 300_000)
    is_of(ask(larder, "bytes=-1000"), made, made.size - 1000, made.size - 1)
    wait_for(lambda: made.answers == [["bytes=-1000", None, 206, 1000]], what="the suffix")
    response = ask(larder, "bytes=-500")
    is_of(response, made, made.size - 500, made.size - 1)
    assert response.is_hit, response
    # longer: over two cells
    response = ask(larder, "bytes=-400000")
    is_of(response, made, made.size - 400_000, made.size - 1)
    response = ask(larder, "bytes=-400000")
    is_of(response, made, made.size - 400_000, made.size - 1)
    assert response.is_hit, response


@slow(120)
def test_long_suffix_of_what_is_not_known(t):
    for length in (400_000, 3 * MIB, 900 * MIB):
        made = Film(7 * MIB + 300_000)
        larder = t.larder(t.origin({"/film": made}))
        first = max(0, made.size - length)
        for _ in range(2):
            response = ask(larder, f"bytes=-{length}")
            is_of(response, made, first, made.size - 1)
        assert response.is_hit, response
        same(made.answers[0][0], f"bytes=-{min(length, MIB)}")
        larder.stop()


def odd(t, *answers):
    """(larder, origin): ten bytes; each answer is (status, Content-Range, body) for one request in turn."""
    queue = list(answers)

    def behave(conn, _request):
        status, value, body = queue.pop(0)
        fields = [("Cache-Control", "max-age=600"), ("ETag", '"o"'), ("Content-Length", str(len(body)))]
        conn.send(head(status, fields + ([("Content-Range", value)] if value else [])) + body)
    origin = t.origin({"/film": behave})
    return t.larder(origin), origin


def test_stored_part_answers_what_lies_in_it(t):
    """RFC 9111 3.3: a range that lies wholly inside the stored part."""
    larder, origin = odd(t, (206, "bytes 4-9/10", b"456789"))
    for value, body in (("bytes=-5", b"56789"), ("bytes=-5", b"56789"), ("bytes=6-8", b"678"), ("bytes=6-", b"6789"),
                        ("bytes=-1", b"9"), ("bytes=4-4,6-6", None)):
        response = ask(larder, value)
        same(response.status, 206, value)
        if body:
            same(response.body, body, value)
    same(origin.count(), 1)
    same(origin.last().get("Range"), "bytes=-5")


def test_prefix_is_completed(t):
    """RFC 9111 3.3, 3.4: the rest alone is asked for, and joined under the same strong validator."""
    larder, origin = odd(t, (206, "bytes 0-4/10", b"01234"), (206, "bytes 5-9/10", b"56789"))
    same(ask(larder, "bytes=0-4").body, b"01234")
    response = larder.fetch("/film")
    same((response.status, response.body, response.get("Content-Length")), (200, b"0123456789", "10"))
    same((origin.last().get("Range"), origin.last().get("If-Range")), ("bytes=5-", '"o"'))
    response = larder.fetch("/film")
    same((response.status, response.body), (200, b"0123456789"))
    assert response.is_hit, response
    same(ask(larder, "bytes=3-6").body, b"3456")
    same(origin.count(), 2)


def test_prefix_of_another_version_is_given_up(t):
    larder, origin = odd(t, (206, "bytes 0-4/10", b"01234"), (200, None, b"abcdefghij"), (200, None, b"abcdefghij"))
    same(ask(larder, "bytes=0-4").body, b"01234")
    response = larder.fetch("/film")
    same((response.status, response.body), (200, b"abcdefghij"))
    response = larder.fetch("/film")
    same((response.status, response.body), (200, b"abcdefghij"))


def test_suffix_is_not_a_prefix(t):
    """What is missing comes before: the cell is fetched anew."""
    larder, origin = odd(t, (206, "bytes 5-9/10", b"56789"), (206, "bytes 0-9/10", b"0123456789"))
    same(ask(larder, "bytes=-5").body, b"56789")
    same(larder.fetch("/film").body, b"0123456789")
    same((origin.last().get("Range"), origin.last().get("If-Range")), ("bytes=0-", '"o"'))


def test_206_that_cannot_be_used(t):
    """Each client gets the origin's own answer to its own request, byte for byte; nothing is stored."""
    for value, body in ((None, b"01234"), ("bytes 0-4/*", b"01234"), ("bytes 0-9/10", b"01234"), ("bytes 5-4/10", b"01234"),
                        ("items 0-4/10", b"01234"), ("bytes 0-4", b"01234"), ("bytes 0-4/5000000", b"0123")):
        larder, origin = odd(t, *[(206, value, body)] * 4)
        for number in range(2):
            response = ask(larder, "bytes=0-4")
            same((response.status, response.body, response.get("Content-Range")), (206, body, value), value)
            assert not response.is_hit, response
        same(origin.last().get("Range"), "bytes=0-4")
        same(origin.count(), 3)  # the second time it is known
        larder.stop()


def test_206_that_may_not_be_stored(t):
    for cache in ("no-store", "private", "max-age=0, no-store"):
        larder, made = film(t, 5 * MIB, cache=cache)
        for number in range(2):
            response = ask(larder, f"bytes={MIB}-{MIB + 9}")
            is_of(response, made, MIB, MIB + 9)
            assert not response.is_hit, response
        same(made.ranges(), [f"bytes={MIB}-{2 * MIB - 1}"] + [f"bytes={MIB}-{MIB + 9}"] * 2)
        larder.stop()


def test_416_is_the_origins_and_not_stored(t):
    larder, made = film(t, 1000)
    for _ in range(2):
        response = ask(larder, f"bytes={5 * MIB}-")
        same((response.status, response.get("Content-Range")), (416, "bytes */1000"))
        assert not response.is_hit, response
    same_body(larder.fetch("/film"), made.bytes(0, 999))
    assert ask(larder, "bytes=0-9").is_hit


def test_other_answers_to_a_first_range(t):
    origin = t.origin({"/film": reply(b"no such film", 404, cache="max-age=600")})
    larder = t.larder(origin)
    for hit in (False, True):
        response = ask(larder, "bytes=0-3")
        same((response.status, response.body), (404, b"no such film"))
        same(response.is_hit, hit)
    same(origin.count(), 1)


def test_too_large_is_not_stored(t):
    larder, made = film(t, 8 * MIB, larder={"store": "max_object 4M;"})
    for _ in range(2):
        response = ask(larder, f"bytes={MIB}-{MIB + 9}")
        is_of(response, made, MIB, MIB + 9)
        assert not response.is_hit, response
    same(made.ranges()[1:], [f"bytes={MIB}-{MIB + 9}"] * 2)


def test_head_and_conditions_on_a_parent(t):
    larder, made = film(t, 5 * MIB)
    ask(larder, "bytes=0-9")
    for headers in ((), [("Range", "bytes=0-9")]):
        response = larder.fetch("/film", "HEAD", headers=list(headers))
        same((response.status, response.get("Content-Length")), (200, str(made.size)))
        assert response.is_hit, response
    same(larder.fetch("/film", headers=[("If-None-Match", '"v1"')]).status, 304)
    same(ask(larder, f"bytes={9 * MIB}-").status, 416)
    same(ask(larder, "bytes=5-9", headers=[("If-Range", '"v1"')]).status, 206)
    same(len(made.answers), 1)
    response = ask(larder, "bytes=5-9", headers=[("If-Range", '"v0"')])
    same(response.status, 200)
    same_body(response, made.bytes(0, made.size - 1))
    same(made.sent(), made.size)


def test_if_range_before_anything_is_known(t):
    larder, made = film(t, 3 * MIB)
    response = ask(larder, "bytes=5-9", headers=[("If-Range", '"v0"')])
    same(response.status, 200)
    same_body(response, made.bytes(0, made.size - 1))
    response = ask(larder, "bytes=5-9", headers=[("If-Range", '"v1"')])
    is_of(response, made, 5, 9)
    assert response.is_hit, response
    same(made.sent(), made.size)


def test_request_directives_on_a_parent(t):
    larder, made = film(t, 5 * MIB)
    ask(larder, "bytes=0-9")
    came(larder, made, MIB)
    only = [("Cache-Control", "only-if-cached")]
    is_of(ask(larder, "bytes=5-9", headers=only), made, 5, 9)
    same(ask(larder, f"bytes={MIB}-{MIB + 9}", headers=only).status, 504)
    same(larder.fetch("/film", headers=only).status, 504)
    same(len(made.answers), 1)
    no_store = [("Cache-Control", "no-store")]
    assert ask(larder, "bytes=5-9", headers=no_store).is_hit
    response = ask(larder, f"bytes={MIB}-{MIB + 9}", headers=no_store)
    is_of(response, made, MIB, MIB + 9)
    same(made.answers[-1][:3], [f"bytes={MIB}-{MIB + 9}", None, 206])
    same(ask(larder, f"bytes={MIB}-{MIB + 9}", headers=only).status, 504)
    response = ask(larder, "bytes=5-9", headers=[("Cache-Control", "no-cache")])
    is_of(response, made, 5, 9)
    same(made.answers[-1][2], 304)


@slow(120)
def test_far_range_beside_a_fill_of_the_whole(t):
    """It is fetched for itself and not stored: never both."""
    larder, made = film(t, 20 * MIB)
    made.gate.clear()
    with larder.client() as client:
        client.request("/film")
        wait_for(lambda: len(made.answers) == 1, what="the fill")
        response = client.read_head()
        done = []
        thread = threading.Thread(target=lambda: done.append(ask(larder, f"bytes={15 * MIB}-{15 * MIB + 9}")))
        thread.start()
        wait_for(lambda: len(made.answers) == 2, what="the request beside it")
        made.gate.set()
        thread.join()
        is_of(done[0], made, 15 * MIB, 15 * MIB + 9)
        same(made.answers[1][:3], [f"bytes={15 * MIB}-{15 * MIB + 9}", None, 206])
        same_body(client.read_body(response), made.bytes(0, made.size - 1))
    assert ask(larder, f"bytes={15 * MIB}-{15 * MIB + 9}").is_hit
    same(len(made.answers), 2)


@slow(120)
def test_vary(t):
    """Parts belong to their variant."""
    films = {"en": Film(3 * MIB, 1), "de": Film(3 * MIB, 2)}
    for made in films.values():
        made.headers.append(("Vary", "Accept-Language"))
    origin = t.origin({"/film": lambda conn, request: films[request.get("Accept-Language")](conn, request)})
    larder = t.larder(origin)
    for hit in (False, True):
        for language, made in films.items():
            response = ask(larder, f"bytes={MIB}-{MIB + 9}", headers=[("Accept-Language", language)])
            is_of(response, made, MIB, MIB + 9)
            same(response.is_hit, hit, language)
            came(larder, made, MIB)


@slow(120)
def test_fields_of_the_client_reach_the_origin(t):
    """Each part is fetched with the fields of the client that needs it, conditions and ranges left out."""
    larder, made = film(t, 5 * MIB)
    seen = []
    made.also = seen.append
    ask(larder, "bytes=0-9", headers=[("X-Own", "1"), ("If-None-Match", '"x"')])
    ask(larder, f"bytes={2 * MIB}-{2 * MIB + 9}", headers=[("X-Own", "2"), ("If-Range", '"v1"')])
    same([request.get("X-Own") for request in seen], ["1", "2"])
    same([request.all("If-Range") for request in seen], [[], ['"v1"']])
    same([len(request.all("Range")) for request in seen], [1, 1])
    same([request.get("If-None-Match") for request in seen], [None, None])


@slow(120)
def test_many_readers_of_one_film(t):
    """Every reader gets its own bytes while parts come, go and are shared."""
    larder, made = film(t, 24 * MIB + 777, larder={"memory": "32M"})
    failures = []

    def watch(seed):
        try:
            for step in range(6):
                first = (seed * 7919 * 4099 + step * 3 * MIB) % made.size
                last = min(made.size - 1, first + 2_000_000)
                is_of(ask(larder, f"bytes={first}-{last}"), made, first, last)
        except AssertionError as failure:
            failures.append(failure)
    threads = [threading.Thread(target=watch, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    same_body(larder.fetch("/film", timeout=60), made.bytes(0, made.size - 1))
    assert made.sent() < made.size * 1.5, (made.sent(), made.size)
