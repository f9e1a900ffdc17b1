"""RFC 9111 3.3, 3.4: parts of large files are fetched, stored, joined and given up."""
import threading
import time

from case import content, head, http_date, reply, same, same_body, slow, wait_for
from film import GIB, MIB, Film, ask, came, film, is_of, rests


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
    larder.all_written()
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
    larder.all_written()
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
