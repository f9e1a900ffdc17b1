"""Ranges, parts and 304s against those who mean no good: clients with odd conditions, origins that change or lie."""
import datetime
import time

from case import content, head, http_date, reply, same, slow
from k01_ranges import parts_of, ranged
from film import MIB, ask, came, film, is_of


@slow(60)
def test_a_date_that_changes_its_century(t):
    """A year of two digits counts by the clock (RFC 9110 5.6.7), so a condition may begin to hold while a part is
    waited for. What was decided stays decided: no part follows a 304."""
    larder, made = film(t, 5 * MIB)
    ask(larder, "bytes=0-9")
    came(larder, made, MIB)
    begins = [0.0]
    made.also = lambda request: time.sleep(max(0, begins[0] + 1 - time.time()))
    for value in (f"bytes={2 * MIB}-{2 * MIB + 9}", f"bytes={3 * MIB}-{3 * MIB + 9},{4 * MIB}-{4 * MIB + 9}"):
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=6)
        begins[0] = now.timestamp()
        then = now.replace(year=now.year + 50).strftime("%A, %d-%b-%y %H:%M:%S GMT")
        with larder.client() as client:
            client.request("/film", headers=[("Range", value), ("If-Modified-Since", then)])
            same(client.read_response().status, 206)
            client.request("/film", headers=[("Range", "bytes=0-9")])
            is_of(client.read_response(), made, 0, 9)


def test_304_with_another_date(t):
    """An older file was put back: its date is all that tells, and bytes of two files are never joined (RFC 9111
    4.3.4). So it is with a 304 that has no Date, which makes a date a weak validator."""
    dates = [http_date(-86400), http_date(-172800)]
    for date in (dates[1], None):
        larder, made = film(t, 3 * MIB, etag=None, headers=[("Last-Modified", dates[0])])
        is_of(ask(larder, "bytes=0-9"), made, 0, 9)
        came(larder, made, MIB)
        made.version, made.headers = 2, [("Last-Modified", date)] if date else []

        def behave(conn, request, made=made, date=date):
            if request.get("If-Modified-Since"):
                conn.send(head(304, made.fields(), date=date is not None))
            else:
                made(conn, request)
        t.origins[-1].routes["/film"] = behave
        response = ask(larder, "bytes=0-9", [("Cache-Control", "no-cache")])
        assert response.body in (made.bytes(0, 9, 1), made.bytes(0, 9, 2))
        response = larder.fetch("/film")
        assert response.complete and response.body in (made.bytes(0, made.size - 1, 1),
                                                       made.bytes(0, made.size - 1, 2)), response
        larder.stop()


def test_416_of_what_the_client_did_not_ask(t):
    """RFC 9110 15.5.17: only when none of its ranges can be had; 13.2.2: not when something else is looked at first."""
    for headers, value, status in (([], f"bytes={5 * MIB}-,0-9", 206), ([], f"bytes={5 * MIB}-", 416),
                                   ([("If-Range", '"old"')], f"bytes={5 * MIB}-", 200),
                                   ([("If-Range", '"v1"')], f"bytes={5 * MIB}-", 416),
                                   ([("If-None-Match", '"v1"')], f"bytes={5 * MIB}-", 304)):
        larder, made = film(t, 1000)
        same(ask(larder, value, headers).status, status, (value, headers))
        larder.stop()


@slow(60)
def test_several_ranges_of_what_is_not_kept(t):
    """The bytes of a response that is not stored are gone once they are sent: no range may go back."""
    size = 12 * MIB
    body = content("x", size)
    far, near = f"{size - 10}-", "0-9"
    for cache in ("no-store", "max-age=600"):
        for chunked in (False, True):
            origin = t.origin({"/film": reply(body, cache=cache, chunked=chunked, headers=[("Content-Type", "a/b")])})
            larder = t.larder(origin, store="max_object 4M;")
            for value in (f"{far},{near}", f"{far},{5 * MIB}-{5 * MIB + 9},{near}", f"{near},{far}", far):
                response = ranged(larder, f"bytes={value}", "/film")
                assert response.complete and response.status in (200, 206), (value, response)
                if response.status == 206 and "," in value:
                    parts_of(response, body)
            larder.stop()


def test_304_that_may_not_be_shared(t):
    """What a 304 makes private, or brings for one who is authorized, is not for others (RFC 9111 3, 3.5, 4.3.4)."""
    alice = ("Authorization", "Basic YWxpY2U=")
    for cache, headers in (("private, max-age=100", []), ("no-store, max-age=100", []), ("max-age=100", [alice])):
        for vary in ([], [("Vary", "X-Key")]):
            state = {"cache": "max-age=0", "who": "all"}

            def behave(conn, request, state=state, vary=vary):
                fields = [("Cache-Control", state["cache"]), ("ETag", '"v"'), ("X-Who", state["who"]), *vary]
                if request.get("If-None-Match"):
                    conn.send(head(304, fields))
                else:
                    conn.send(head(200, fields + [("Content-Length", "2")]) + b"hi")
            larder = t.larder(t.origin({"/p": behave}))
            larder.fetch("/p", headers=[("X-Key", "0")])
            state.update(cache=cache, who="alice")
            for number in range(2):
                response = larder.fetch("/p", headers=headers + [("X-Key", "1")])
                same((response.status, response.body, response.get("X-Who")), (200, b"hi", "alice"))
            state.update(who="bob")
            for key in "01":
                response = larder.fetch("/p", headers=[("X-Key", key)])
                same((response.body, response.get("X-Who")), (b"hi", "bob"), (cache, headers, vary, key))
            larder.stop()


def test_304_with_private_fields(t):
    """private="..." of a 304 too: those fields are for the client whose request brought them (RFC 9111 5.2.2.7)."""
    state = {"who": "alice"}

    def behave(conn, request):
        fields = [("Cache-Control", 'max-age=600, private="X-Who"'), ("ETag", '"v"'), ("X-Who", state["who"])]
        if request.get("If-None-Match"):
            conn.send(head(304, fields))
        else:
            conn.send(head(200, fields + [("Content-Length", "2")]) + b"hi")
    larder = t.larder(t.origin({"/p": behave}))
    for who in ("alice", "bob"):
        state["who"] = who
        response = larder.fetch("/p", headers=[("Cache-Control", "no-cache")])
        same((response.body, response.get("X-Who")), (b"hi", who))
        response = larder.fetch("/p")
        assert response.is_hit, response
        same((response.body, response.get("X-Who")), (b"hi", None))


def test_304_with_another_vary(t):
    """What selects is not what is stored under any more: it is fetched anew (RFC 9111 4.1)."""
    state = {"vary": None, "count": 0}

    def behave(conn, request):
        state["count"] += 1
        fields = [("Cache-Control", "max-age=600"), ("ETag", '"v"')]
        fields += [("Vary", state["vary"])] if state["vary"] else []
        if request.get("If-None-Match") and not request.get("X-User"):
            conn.send(head(304, fields))
        else:
            body = (request.get("X-User") or "none").encode()
            conn.send(head(200, fields + [("Content-Length", str(len(body)))]) + body)
    for before, after in ((None, "X-User"), ("X-Other", "X-Other, X-User")):
        larder = t.larder(t.origin({"/p": behave}))
        state["vary"] = before
        same(larder.fetch("/p").body, b"none")
        state["vary"] = after
        same(larder.fetch("/p", headers=[("Cache-Control", "no-cache")]).body, b"none")
        same(larder.fetch("/p", headers=[("X-User", "alice")]).body, b"alice")
        response = larder.fetch("/p")
        assert response.is_hit and response.body == b"none", response
        state["vary"], state["count"] = "x-user, X-Other" if before else "x-user", 0
        same(larder.fetch("/p", headers=[("Cache-Control", "no-cache")]).body, b"none")
        same(state["count"], 1)  # the same names: one 304 is enough
        larder.stop()


def test_sums_over_the_content(t):
    """Content-MD5 and Content-Digest are about the bytes of one message (RFC 1864, RFC 9530 2), Repr-Digest is not."""
    sums = [("Content-MD5", "bWQ1"), ("Content-Digest", "sha-256=:YQ==:"), ("Repr-Digest", "sha-256=:Yg==:")]

    def names(response):
        return [name for name, _ in sums if response.get(name)]
    larder, made = film(t, 3 * MIB, headers=sums)
    for value in ("bytes=0-9", "bytes=0-9", f"bytes={MIB}-{MIB}", "bytes=0-1,5-6"):
        same(names(ask(larder, value)), ["Repr-Digest"], value)
    response = larder.fetch("/film")
    same((response.status, names(response)), (200, ["Repr-Digest"]))  # all the origin sent were parts
    larder, made = film(t, 1000, headers=sums)
    same(names(larder.fetch("/film")), [name for name, _ in sums])
    same(names(ask(larder, "bytes=0-9")), ["Repr-Digest"])
    response = larder.fetch("/film")
    assert response.is_hit, response
    same(names(response), [name for name, _ in sums])
