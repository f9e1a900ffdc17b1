"""RFC 9111 3.3, 3.4, 4.3: stored parts over purges, validations, requests of other kinds, and odd answers to ranges."""
import threading
import time

from case import head, reply, same, same_body, slow, wait_for
from film import MIB, Film, ask, came, film, is_of, rests
from k01_ranges import parts_of


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
    larder, made = film(t, 5 * MIB, cache="max-age=12", headers=[("X-Time", "1")])
    is_of(ask(larder, "bytes=0-9"), made, 0, 9)
    came(larder, made, MIB)
    time.sleep(8)
    made.headers, begin = [("X-Time", "2")], time.monotonic()
    is_of(ask(larder, f"bytes={MIB}-{MIB + 9}"), made, MIB, MIB + 9)
    came(larder, made, 2 * MIB)
    time.sleep(5.5)
    response = ask(larder, "bytes=0-9")
    is_of(response, made, 0, 9)
    assert response.is_hit and response.age <= time.monotonic() - begin + 1, response
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
    made.cache = "max-age=600"
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
