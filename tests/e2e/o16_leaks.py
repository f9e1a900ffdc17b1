"""RFC 9111 3, 4.1, 4.3.4: what is for one user, or chosen by a field, never reaches another by a side door: a 304 that
takes back what the stored response allowed, fields of our own making or undoing that select a variant."""

from case import head, reply, same, sequence, settle, wait_for


def renewed(headers, body=b"one"):
    """First a plain response, then 304 with these fields; without a condition a whole answer with them."""
    def again(conn, request):
        who = request.get("Cookie", "nobody")
        if request.get("If-None-Match") == '"1"':
            conn.send(head(304, [("ETag", '"1"'), *headers]))
        else:
            reply(f"for {who}", headers=[("ETag", f'"{who}"'), *headers])(conn, request)
    return sequence(reply(body, cache="max-age=1", etag='"1"'), again)


PERSONAL = ("X-User", "bob")


def test_a_304_that_takes_back_the_permission(t):
    """private, no-store, Vary: * on the 304: nobody else gets its fields, and the stored response is gone."""
    origin = t.origin({
        "/private": renewed([("Cache-Control", "private, max-age=60"), PERSONAL]),
        "/no-store": renewed([("Cache-Control", "no-store"), PERSONAL]),
        "/star": renewed([("Cache-Control", "max-age=60"), ("Vary", "*"), PERSONAL]),
        "/address": renewed([("Cache-Control", "max-age=60"), ("Vary", "x-forwarded-FOR"), PERSONAL]),
    })
    larder = t.larder(origin)
    for path in origin.routes:
        larder.fetch(path)
    settle(2.1)
    for path in origin.routes:
        bob = larder.fetch(path, headers=[("Cookie", "bob")])
        same((bob.status, bob.body, bob.get("X-User")), (200, b"for bob", "bob"), path)
        assert not bob.is_hit and "stored" not in bob.cache_status, bob
        same(origin.count(path), 3, "asked with the condition, then without")
        eve = larder.fetch(path, headers=[("Cookie", "eve")])
        same((eve.status, eve.body), (200, b"for eve"), path)
        assert not eve.is_hit, eve
        same(origin.last(path).get("If-None-Match"), None, "nothing is stored any more")


def test_a_304_to_a_request_with_authorization(t):
    """3.5: its fields are not stored where the response would not have been."""
    origin = t.origin({"/closed": renewed([("Cache-Control", "max-age=60"), PERSONAL]),
                       "/open": renewed([("Cache-Control", "max-age=60, public"), PERSONAL])})
    larder = t.larder(origin)
    for path in origin.routes:
        larder.fetch(path)
    settle(2.1)
    for path in origin.routes:
        same(larder.fetch(path, headers=[("Authorization", "b")]).get("X-User"), "bob")
    assert not larder.fetch("/closed").is_hit
    response = larder.fetch("/open")
    same((response.is_hit, response.body, response.get("X-User")), (True, b"one", "bob"))
    same(origin.count("/open"), 2)


def test_a_304_that_begins_to_vary(t):
    """The stored response was for everybody; from now on each has its own."""
    origin = t.origin({"/v": renewed([("Cache-Control", "max-age=60"), ("Vary", "Cookie")])})
    larder = t.larder(origin)
    larder.fetch("/v")
    settle(2.1)
    for _ in range(2):
        for who in ("bob", "eve"):
            same(larder.fetch("/v", headers=[("Cookie", who)]).body, b"for " + who.encode())
    assert larder.fetch("/v", headers=[("Cookie", "eve")]).is_hit
    same(origin.count("/v"), 4)


def test_a_304_with_the_same_vary_in_other_words(t):
    def again(conn, _request):
        conn.send(head(304, [("ETag", '"1"'), ("Cache-Control", "max-age=60"), ("Vary", "X-B"), ("vary", " ,x-a")]))
    origin = t.origin({"/v": sequence(reply("x", cache="max-age=1", etag='"1"', headers=[("Vary", "X-A, X-B")]), again)})
    larder = t.larder(origin)
    for wanted in ("uri-miss", "fwd-status=304", "; hit"):
        response = larder.fetch("/v", headers=[("X-A", "1")])
        assert wanted in response.cache_status, (wanted, response)
        settle(2.1 if wanted == "uri-miss" else 0)
    same(origin.count("/v"), 2)


def test_private_fields_of_a_304(t):
    """5.2.2.7: not stored, also where the stored response had the field when it was for all; the client whose request
    brought it gets it."""
    def again(conn, _request):
        conn.send(head(304, [("ETag", '"1"'), ("Cache-Control", 'max-age=60, private="x-user, X-Team"'), PERSONAL]))
    first = reply("x", cache="max-age=1", etag='"1"', headers=[("X-Team", "a"), ("X-Keep", "k")])
    origin = t.origin({"/p": sequence(first, again)})
    larder = t.larder(origin)
    larder.fetch("/p")
    settle(2.1)
    for user in (PERSONAL[1], None):
        response = larder.fetch("/p")
        same((response.body, response.get(PERSONAL[0]), response.get("X-Team"), response.get("X-Keep")),
             (b"x", user, None, "k"))
    same((response.is_hit, origin.count("/p")), (True, 2))


def test_a_head_response_that_varies_otherwise(t):
    """4.3.5: it is about another selection, so the stored response is stale."""
    origin = t.origin({"/h": reply("x", cache="max-age=60", etag='"1"')})
    larder = t.larder(origin)
    larder.fetch("/h")
    settle(1.1)
    origin.routes["/h"] = reply("x", cache="max-age=60", etag='"1"', headers=[("Vary", "Cookie")])
    larder.fetch("/h", "HEAD", headers=[("Cache-Control", "max-age=0")])
    assert not larder.fetch("/h", headers=[("Cookie", "bob")]).is_hit
    assert not larder.fetch("/h", headers=[("Cookie", "eve")]).is_hit


def device(conn, request):
    reply("device " + request.get("X-Device", "none"), cache="max-age=60", headers=[("Vary", "X-Device")])(conn, request)


def test_fields_that_end_here_select_nothing(t):
    """9110 7.6.1: the origin has not seen what Connection names, so the answer is not filed under it."""
    origin = t.origin({"/d": device})
    larder = t.larder(origin)
    evil = [("X-Device", "phone"), ("Connection", "keep-alive, x-DEVICE")]
    same(larder.fetch("/d", headers=evil).body, b"device none")
    same(larder.fetch("/d", headers=[("X-Device", "phone")]).body, b"device phone")
    response = larder.fetch("/d", headers=evil)
    same((response.body, response.is_hit), (b"device none", True))
    assert larder.fetch("/d").is_hit and larder.fetch("/d", headers=[("X-Device", "phone")]).is_hit
    same(origin.count("/d"), 2)


def test_fields_of_the_operator_select(t):
    """header request: the origin varies by what it was sent, not by what the client said."""
    origin = t.origin({"/d": device})
    larder = t.larder(origin, site="""
        header request remove X-Device;
        rule header User-Agent=*Mobile* { header request set X-Device phone; }""")
    phone, desk = ("User-Agent", "a Mobile b"), ("User-Agent", "c")
    for wanted in (False, True):
        for agent, body in ((phone, b"device phone"), (desk, b"device none")):
            response = larder.fetch("/d", headers=[agent])
            same((response.body, response.is_hit), (body, wanted))
    response = larder.fetch("/d", headers=[desk, ("X-Device", "phone")])
    same((response.body, response.is_hit), (b"device none", True), "removed, so it does not count")
    same(origin.count("/d"), 2)
    done = larder.command("explain", larder.url("/d"), "-H", "User-Agent: Mobile", check=0)
    assert "hit" in done.stdout, done.stdout


def test_forwarding_fields_of_the_operator_select(t):
    """A stranger's X-Forwarded-Proto is not what a rule would have set."""
    origin = t.origin({"/f": lambda conn, request: reply(request.get("X-Forwarded-Proto"), cache="max-age=60",
                                                         headers=[("Vary", "X-Forwarded-Proto")])(conn, request)})
    larder = t.larder(origin, site="rule header X-Secure=1 { header request set X-Forwarded-Proto https; }")
    same(larder.fetch("/f", headers=[("X-Forwarded-Proto", "https")]).body, b"http")
    same(larder.fetch("/f", headers=[("X-Secure", "1")]).body, b"https")
    same(larder.fetch("/f").body, b"http")
    same(origin.count("/f"), 2)


def test_followers_select_by_the_same_fields(t):
    """While it arrives."""
    origin = t.origin({"/d": lambda conn, request: (settle(0.6), device(conn, request))})
    larder = t.larder(origin, site="rule header User-Agent=*Mobile* { header request set X-Device phone; }")
    with larder.client() as one, larder.client() as two, larder.client() as three:
        one.request("/d", headers=[("User-Agent", "Mobile")])
        wait_for(lambda: origin.count("/d") == 1, what="the leader")
        two.request("/d", headers=[("User-Agent", "desk")])
        three.request("/d", headers=[("User-Agent", "Mobile 2")])
        same([client.read_response().body for client in (one, two, three)],
             [b"device phone", b"device none", b"device phone"])
    same(origin.count("/d"), 2)


def test_a_response_by_the_client_address_is_for_one_client(t):
    """We say in X-Forwarded-For who asks."""
    origin = t.origin({"/a": lambda conn, request: reply(request.get("X-Forwarded-For", "nobody"), cache="max-age=60",
                                                         headers=[("Vary", "Accept, X-FORWARDED-for")])(conn, request)})
    larder = t.larder(origin)
    for source in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
        with larder.client(source=source) as client:
            client.request("/a")
            response = client.read_response()
        same((response.body.decode(), response.is_hit), (source, False))
    larder = t.larder(origin, cache="vary_ignore X-Forwarded-For;")
    larder.fetch("/a")
    assert larder.fetch("/a").is_hit, "the operator's word"
    larder = t.larder(origin, site="forwarded off;")
    same(larder.fetch("/a").body, b"nobody")
    assert larder.fetch("/a").is_hit


def test_what_connection_names_in_a_response(t):
    """9110 7.6.1: ends here, but for what every recipient of the content has to know."""
    origin = t.origin({"/c": reply("x", cache="public, max-age=60", etag='"1"', headers=[
        ("Connection", "X-Hop, set-cookie, Location"), ("Connection", "Cache-Control, ETag, Content-Type, Vary"),
        ("X-Hop", "1"), ("Set-Cookie", "a=b"), ("Location", "/l"), ("Content-Type", "text/x"), ("Vary", "X-V")])})
    larder = t.larder(origin)
    for wanted in (False, True):
        response = larder.fetch("/c")
        same(response.is_hit, wanted)
        same([response.get(name) for name in ("X-Hop", "Set-Cookie", "Location")], [None] * 3)
        same([response.get(name) for name in ("Cache-Control", "ETag", "Content-Type", "Vary")],
             ["public, max-age=60", '"1"', "text/x", "X-V"])


def test_a_list_of_private_fields_that_cannot_be_read(t):
    """Counts as private itself."""
    origin = t.origin(default=lambda conn, request: reply("x", headers=[
        ("Cache-Control", 'max-age=60, private="' + request.target[1:] + '"'), PERSONAL])(conn, request))
    larder = t.larder(origin)
    for words in ("X\\-User", "X-User:", ",", "a;b"):
        for _ in range(2):
            assert not larder.fetch("/" + words).is_hit, words


def test_sorting_keeps_the_values_of_one_name_in_order(t):
    origin = t.origin(default=lambda conn, request: reply(request.target, cache="max-age=60")(conn, request))
    larder = t.larder(origin, cache="sort_query on;")
    same(larder.fetch("/q?b&a=2&%61=1").body, b"/q?a=2&%61=1&b")
    same(larder.fetch("/q?b&%61=1&a=2").body, b"/q?%61=1&a=2&b")


def test_failed_refreshes_rest(t):
    """RFC 5861 3: within the window every hit may begin a refresh, but an origin that fails is asked once in a while. An
    error whose body nobody waits for counts as one."""
    def ill(conn, _request):
        conn.send(head(503, [("Content-Length", "3")]))
        conn.origin.stopping.wait(0.3)
        conn.send("bad")
    origin = t.origin({"/down": reply("x", cache="max-age=1, stale-while-revalidate=600"),
                       "/ill": sequence(reply("x", cache="max-age=1, stale-while-revalidate=600"), ill)})
    larder = t.larder(origin, workers=1)
    for path in origin.routes:
        larder.fetch(path)
    settle(2.1)

    def hits(path, count):
        for _ in range(count):
            response = larder.fetch(path)
            same((response.body, response.is_hit), (b"x", True))
            assert "stale_while_revalidate" in response.cache_status, response
            settle(0.05)

    def asked():
        return sum(value for name, value in larder.metrics().items()
                   if name.startswith("larder_origin_requests_total{"))

    hits("/ill", 10)
    wait_for(lambda: asked() == 3, what="the refresh")
    same(origin.count("/ill"), 2)
    origin.shut()
    hits("/down", 10)
    wait_for(lambda: asked() > 3, what="the failed refresh")
    same(asked(), 4)
    origin.listen()
    origin.routes["/down"] = reply("new", cache="max-age=60")
    settle(5.2)
    hits("/down", 1)
    wait_for(lambda: larder.fetch("/down").body == b"new", what="the refresh after the rest")
    hits("/ill", 1)
    wait_for(lambda: origin.count("/ill") == 3, what="one more try")


def test_never_fresh_but_of_use_for_a_while(t):
    """RFC 5861 with max-age=0 and no validator: stored for its window."""
    bodies = iter(range(100))
    origin = t.origin(default=lambda conn, request: reply(f"{next(bodies)}", cache=request.target[1:])(conn, request))
    larder = t.larder(origin)
    path = "/max-age=0,stale-while-revalidate=60"
    same(larder.fetch(path).body, b"0")
    same(larder.fetch(path).body, b"0")
    wait_for(lambda: larder.fetch(path).body != b"0", what="the refresh")
    path = "/max-age=0,stale-if-error=60"
    first = larder.fetch(path).body
    second = larder.fetch(path).body
    assert first != second, "it is never fresh"
    origin.default = reply("bad", 503)
    same(larder.fetch(path).body, second)
    path = "/max-age=0,stale-if-error=60,must-revalidate"
    origin.default = reply("a", cache=path[1:])
    larder.fetch(path)
    origin.default = reply("bad", 503)
    same(larder.fetch(path).status, 503)


def test_stale_if_error_of_a_request(t):
    """RFC 5861 4: the client would rather have the old one, for so long."""
    origin = t.origin({"/e": sequence(reply("x", cache="max-age=1"), reply("bad", 503)),
                       "/m": sequence(reply("x", cache="max-age=1, must-revalidate"), reply("bad", 503))})
    larder = t.larder(origin, cache="hit_for_miss 0s;")
    larder.fetch("/e")
    larder.fetch("/m")
    settle(2.1)
    same(larder.fetch("/e").status, 503)
    same(larder.fetch("/e", headers=[("Cache-Control", "stale-if-error=1")]).status, 503)
    response = larder.fetch("/e", headers=[("Cache-Control", "stale-if-error=600")])
    same((response.status, response.body, response.is_hit), (200, b"x", True))
    same(larder.fetch("/m", headers=[("Cache-Control", "stale-if-error=600")]).status, 503)
    settle(0.1)
    same(larder.fetch("/e").status, 503, "not for those who did not ask for it")


def test_a_part_that_begins_to_vary(t):
    """RFC 9111 3.4, 4.1: it does not join the parts that were for everybody, for it is for one."""
    size = 4 << 20

    def behave(conn, request):
        first, last = (int(number) for number in request.get("Range").removeprefix("bytes=").split("-"))
        fields = [("ETag", '"1"'), ("Cache-Control", "max-age=600"), ("Content-Range", f"bytes {first}-{last}/{size}")]
        who = request.get("Cookie")
        reply(who[:1] * (last - first + 1) if who else "-" * (last - first + 1), 206,
              headers=[*fields, *([("Vary", "Cookie")] if who else [])])(conn, request)
    larder = t.larder(t.origin({"/f": behave}))

    def ask(first, who):
        headers = [("Range", f"bytes={first}-{first + 3}")] + ([("Cookie", who)] if who else [])
        return larder.fetch("/f", headers=headers).body
    same(ask(0, None), b"----")
    for who in ("bob", "eve"):
        same(ask(2 << 20, who), who[:1].encode() * 4)
