"""RFC 9211, 9209, RFC 9111 5.1, 5.2.1: what is told about the cache, Age, and what clients may ask of it."""
import threading
import time

from case import head, http_date, raw, reply, same, sequence, wait_for

UP = [("Cache-Status", "up; hit; ttl=5"), ("X-Between", "1"), ("cache-status", '"a, b"; fwd=miss, last; fwd=stale')]


def test_cache_status_members_in_order(t):
    """Members of caches before us stay as they are and where they are; ours comes last, once, on every response."""
    origin = t.origin({"/s": reply("x", cache="max-age=8", headers=UP, etag='"1"'),
                       "/n": reply("x", cache="no-store", headers=UP), "/e": reply("x", 404, headers=UP)})
    larder = t.larder(origin)

    def ours(response):
        lines = response.all("Cache-Status")
        same(lines[:-1], [UP[0][1], UP[2][1]], response.raw_head)
        assert lines[-1].startswith("larder; "), response.raw_head
        return lines[-1]
    same(ours(larder.fetch("/s")).split("; ")[1], "fwd=uri-miss")
    assert "; hit; ttl=" in ours(larder.fetch("/s"))
    assert "; hit" in ours(larder.fetch("/s", "HEAD"))
    assert "; hit" in ours(larder.fetch("/s", headers=[("If-None-Match", '"1"')]))
    assert "; hit" in ours(larder.fetch("/s", headers=[("Range", "bytes=0-0")]))
    time.sleep(9.1)
    assert "fwd=stale; fwd-status=304" in ours(larder.fetch("/s"))
    for path, method in (("/n", "GET"), ("/n", "GET"), ("/n", "POST"), ("/e", "GET"), ("/n", "HEAD"), ("/n", "OPTIONS")):
        assert "; fwd=" in ours(larder.fetch(path, method)), path


def test_proxy_status_on_own_errors_only(t):
    """Its name is that of Via; what the origin says itself is passed on and not doubled."""
    origin = t.origin({"/bad": raw(b"junk\r\n\r\n"), "/own": reply("x", 502, headers=[("Proxy-Status", "up; error=dns_error")]),
                       "/ok": reply("x", cache="no-store")})
    larder = t.larder(origin, site="via edge1;")
    same(larder.fetch("/bad").all("Proxy-Status"), ["edge1; error=http_protocol_error"])
    same(larder.fetch("/own").all("Proxy-Status"), ["up; error=dns_error"])
    same(larder.fetch("/ok").get("Proxy-Status"), None)
    same(larder.fetch("/ok", headers=[("Cache-Control", "only-if-cached")]).get("Proxy-Status"), None)


def test_age(t):
    """A whole number on every hit, whatever it is; none on what comes straight from the origin."""
    origin = t.origin({"/a": reply("body", cache="max-age=600", etag='"1"'), "/old": reply("x", cache="max-age=600", headers=[
        ("Age", "50"), ("Date", http_date(-60))]), "/n": reply("x", cache="no-store"), "/s": sequence(
            reply("x", cache="max-age=1, stale-while-revalidate=99"), reply("y", cache="max-age=1", delay=2))})
    larder = t.larder(origin)
    begin = time.monotonic()
    same(larder.fetch("/a").all("Age"), [], "first-hand")
    for method, fields in (("GET", []), ("HEAD", []), ("GET", [("If-None-Match", '"1"')]), ("GET", [("Range", "bytes=1-2")]),
                           ("GET", [("Range", "bytes=9-")]), ("GET", [("Range", "bytes=0-0,2-2")])):
        ages = larder.fetch("/a", method, headers=fields).all("Age")
        assert len(ages) == 1 and ages[0].isdigit() and int(ages[0]) <= 1 + time.monotonic() - begin, (method, fields, ages)
    for _ in range(2):
        ages = larder.fetch("/old").all("Age")
        assert len(ages) == 1 and 60 <= int(ages[0]) <= 62 + time.monotonic() - begin, ages
    for _ in range(2):
        same(larder.fetch("/n").all("Age"), [])
    larder.fetch("/s")
    time.sleep(2.1)
    response = larder.fetch("/s")
    assert response.is_hit and response.age >= 2, response.raw_head
    same(response.get("Warning"), None)


def test_client_directives(t):
    """5.2.1 on a stored response that is 10 s old and has 590 s to live."""
    origin = t.origin()
    larder = t.larder(origin)
    off = t.larder(origin, cache="client_revalidate off;")
    for number, (value, wanted) in enumerate((
            ("max-age=5", False), ("max-age=60", True), ("max-age=0", False), ("min-fresh=60", True), ("min-fresh=600", False),
            ("no-cache", False), ("NO-CACHE", False), ("max-age=x", False), ("no-store", True), ("only-if-cached", True),
            ("only-if-cached, max-age=60", True), ("max-stale", True), ("no-transform", True), ("max-age=5, max-stale=99", False))):
        path = f"/{number}"
        origin.routes[path] = reply("x", cache="max-age=600", headers=[("Age", "10")])
        for one in (larder, off):
            one.fetch(path)
            response = one.fetch(path, headers=[("Cache-Control", value)])
            same((response.status, response.is_hit), (200, wanted or one is off), f"{value}, {'off' if one is off else 'on'}")


def test_only_if_cached(t):
    """504 whenever the origin would have to be asked, and it is not asked."""
    origin = t.origin({"/a": reply("x", cache="max-age=8", etag='"1"'), "/n": reply("x", cache="no-store"),
                       "/v": reply("x", cache="max-age=60", headers=[("Vary", "X-V")]), "/c": reply("x", cache="no-cache")})
    larder = t.larder(origin)
    only = ("Cache-Control", "only-if-cached")
    for path in ("/a", "/n", "/v", "/c"):
        same(larder.fetch(path, headers=[only]).status, 504, path)
        larder.fetch(path)
    before = origin.count()
    same(larder.fetch("/a", headers=[only]).status, 200)
    same(larder.fetch("/a", "HEAD", headers=[only]).status, 200)
    time.sleep(9.1)
    for path, fields in (("/a", []), ("/n", []), ("/v", [("X-V", "2")]), ("/c", []), ("/never", [])):
        same(larder.fetch(path, headers=[only, *fields]).status, 504, path)
    same(larder.fetch("/a", headers=[("Cache-Control", "only-if-cached, max-stale=60")]).status, 200, "stale is what it takes")
    same(larder.fetch("/v", headers=[("Cache-Control", "only-if-cached, no-cache")]).status, 504)
    same(origin.count(), before)


def test_request_no_store(t):
    """Its own answer is not stored; a hit may be served, and what is stored stays."""
    origin = t.origin({"/a": sequence(reply("1", cache="max-age=600"), reply("2", cache="max-age=600"))})
    larder = t.larder(origin)
    same(larder.fetch("/a", headers=[("Cache-Control", "no-store")]).body, b"1")
    response = larder.fetch("/a")
    same((response.body, response.is_hit), (b"2", False))
    response = larder.fetch("/a", headers=[("Cache-Control", "no-store")])
    same((response.body, response.is_hit), (b"2", True))


def test_request_no_store_joins_nobody(t):
    """Beside a fill it is fetched by itself; the fill is stored all the same."""
    gate = threading.Event()

    def behave(conn, request):
        if request.get("X-Who") == "one":
            gate.wait(60)
        reply(request.get("X-Who", "?"), cache="max-age=600")(conn, request)
    origin = t.origin({"/a": behave})
    larder = t.larder(origin)
    with larder.client() as one:
        one.request("/a", headers=[("X-Who", "one")])
        wait_for(lambda: origin.count("/a") == 1, what="the fill")
        same(larder.fetch("/a", headers=[("X-Who", "two"), ("Cache-Control", "no-store")]).body, b"two")
        gate.set()
        same(one.read_response().body, b"one")
    response = larder.fetch("/a")
    same((response.body, response.is_hit, origin.count("/a")), (b"one", True, 2))


def test_set_cookie_settings(t):
    """pass stores only what is explicitly shared; store keeps the cookie; strip stores without it."""
    for setting, cache, hit, cookie_first, cookie_hit in (
            ("", "max-age=60", False, True, None), ("pass", "max-age=60, public", True, True, True),
            ("pass", "s-maxage=60", True, True, True), ("store", "max-age=60", True, True, True),
            ("strip", "max-age=60", True, False, False), ("store", "max-age=60, private", False, True, None)):
        origin = t.origin({"/c": reply("x", cache=cache, headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])})
        larder = t.larder(origin, cache=f"set_cookie {setting};" if setting else "")
        first, second = larder.fetch("/c"), larder.fetch("/c")
        same((bool(first.all("Set-Cookie")), second.is_hit), (cookie_first, hit), f"{setting} {cache}")
        if hit:
            same(second.all("Set-Cookie"), ["a=1", "b=2"] if cookie_hit else [], f"{setting} {cache}")


def test_total_time_of_an_origin(t):
    """origins { timeout total=...; }: one that drips for ever is cut off, a slow client is not held against it."""
    def drip(conn, _request):
        conn.send(head(200, [("Content-Length", "1000"), ("Cache-Control", "max-age=60")]))
        for _ in range(80):
            conn.send(b"x")
            time.sleep(0.5)
    origin = t.origin({"/drip": drip, "/big": reply(b"y" * 8_000_000, cache="no-store")})
    larder = t.larder(origin, timeouts="connect=5s first_byte=10s idle=10s total=4s")
    begin = time.monotonic()
    response = larder.fetch("/drip", timeout=60)
    took = time.monotonic() - begin
    assert not response.complete and 3.5 < took < 25, f"{response} after {took:.1f} s"
    with larder.client(receive_buffer=4096) as client:
        client.request("/big")
        time.sleep(6)
        response = client.read_response()
        same((response.complete, len(response.body)), (True, 8_000_000))
    name = 'larder_origin_errors_total{pool="*",origin="main",reason="total_timeout"}'
    wait_for(lambda: larder.metrics()[name] == 1, what="the count")
