"""Site settings and rules: each setting has a test that fails without it, conditions meet real requests, and a reload changes what is in force."""
import threading
import time

from case import content, head, http_date, reply, same, same_body, wait_for


def counter(origin, **words):
    """Answers with how often this target was asked for."""
    return reply(lambda request: str(origin.count(request.target)), **words)


def is_cached(larder, origin, target, headers=(), method="GET"):
    """Is the second of two requests a hit?"""
    before = origin.count(target)
    larder.fetch(target, headers=headers)
    second = larder.fetch(target, method, headers=headers)
    same(second.is_hit, origin.count(target) == before + 1, f"{target}: {second.cache_status}")
    return second.is_hit


def ttl_of(response):
    return int(response.cache_status.split("ttl=")[1].split(";")[0])


def test_pass_by_each_condition(t):
    origin = t.origin()
    origin.default = counter(origin, cache="max-age=600")
    larder = t.larder(origin, site="""
        rule path /admin/* /cart { pass; }
        rule cookie session* { pass; }
        rule cookie lang=de* { pass; }
        rule header X-Debug=1 { pass; }
        rule method HEAD path /head { pass; }""")
    assert is_cached(larder, origin, "/a")
    assert not is_cached(larder, origin, "/admin/x?y=1")
    assert not is_cached(larder, origin, "/%61dmin/x"), "another spelling of the same path"
    assert is_cached(larder, origin, "/Admin/x")
    assert not is_cached(larder, origin, "/cart")
    assert is_cached(larder, origin, "/cart/")
    assert not is_cached(larder, origin, "/b", [("Cookie", "a=b; session_id=x")])
    assert is_cached(larder, origin, "/b", [("Cookie", "a=session")])
    assert not is_cached(larder, origin, "/c", [("Cookie", "lang=de-AT")])
    assert is_cached(larder, origin, "/c", [("Cookie", "lang=en")])
    assert not is_cached(larder, origin, "/d", [("X-Debug", "1")])
    assert is_cached(larder, origin, "/d", [("X-Debug", "0")])
    assert not is_cached(larder, origin, "/head", method="HEAD")
    response = larder.fetch("/cart")
    assert "fwd=bypass" in response.cache_status and "detail=rule" in response.cache_status, response.cache_status


def test_pass_by_what_the_response_is(t):
    """Known only with the origin's head: not stored, and the client gets it as it is."""
    origin = t.origin()
    origin.routes["/i"] = counter(origin, cache="max-age=600", headers=[("Content-Type", "Image/png; x=y")])
    origin.routes["/h"] = counter(origin, cache="max-age=600", headers=[("Content-Type", "text/html")])
    origin.routes["/e"] = counter(origin, status=404, cache="max-age=600")
    larder = t.larder(origin, site="rule type image/* font/* { pass; } rule status 400-499 { pass; }")
    assert not is_cached(larder, origin, "/i")
    assert is_cached(larder, origin, "/h")
    assert not is_cached(larder, origin, "/e")
    same(larder.fetch("/e").status, 404)
    assert "detail=" in larder.fetch("/i").cache_status


def test_later_rules_override(t):
    origin = t.origin()
    origin.default = counter(origin, cache="max-age=600")
    larder = t.larder(origin, site="""
        rule path /x/* { pass; ttl 100s; }
        rule path /x/static/* { pass off; }
        rule path /x/static/never/* { pass; }""")
    assert not is_cached(larder, origin, "/x/a")
    assert is_cached(larder, origin, "/x/static/a")
    assert 90 <= ttl_of(larder.fetch("/x/static/a")) <= 100, "what a later rule does not say stays"
    assert not is_cached(larder, origin, "/x/static/never/a")


def test_cache_off_but_for_a_rule(t):
    origin = t.origin()
    origin.default = counter(origin, cache="max-age=600")
    larder = t.larder(origin, cache="off;", site="rule path /img/* { pass off; }")
    assert not is_cached(larder, origin, "/a")
    assert is_cached(larder, origin, "/img/a")


def test_ttl(t):
    """In place of the lifetime the origin states, but not against its prohibitions."""
    origin = t.origin({
        "/t/none": reply("x"), "/t/short": reply("x", cache="max-age=1"), "/t/zero": reply("x", cache="max-age=0"),
        "/t/past": reply("x", headers=[("Expires", "0")]), "/t/old": reply("x", headers=[("Date", http_date(-7200))]),
        "/t/no-store": reply("x", cache="no-store"), "/t/private": reply("x", cache="private, max-age=60"),
        "/t/cookie": reply("x", cache="max-age=60", headers=[("Set-Cookie", "a=b")]),
        "/t/vary": reply("x", headers=[("Vary", "*")]), "/t/404": reply("x", 404), "/t/500": reply("x", 500),
        "/t/302": reply("x", 302, headers=[("Location", "/x")]), "/t/301": reply("x", 301, headers=[("Location", "/x")]),
        "/else": reply("x"),
    })
    larder = t.larder(origin, cache="max_ttl 10s;", site="rule path /t/* { ttl 1h; } rule status 404 410 { ttl 1m; }")
    for name in ("none", "short", "zero", "past", "old", "301"):
        assert is_cached(larder, origin, f"/t/{name}"), name
        assert 3590 <= ttl_of(larder.fetch(f"/t/{name}")) <= 3600, name
    for name in ("no-store", "private", "cookie", "vary", "500", "302"):
        assert not is_cached(larder, origin, f"/t/{name}"), name
    assert not is_cached(larder, origin, "/t/x", [("Authorization", "Basic eDp5")])
    assert is_cached(larder, origin, "/t/404")
    assert 50 <= ttl_of(larder.fetch("/t/404")) <= 60
    assert not is_cached(larder, origin, "/else")


def test_ttl_keeps_no_cache(t):
    origin = t.origin({"/n": reply("x", cache="no-cache, max-age=600", etag='"1"')})
    larder = t.larder(origin, site="rule path * { ttl 1h; }")
    larder.fetch("/n")
    response = larder.fetch("/n")
    same(origin.count("/n"), 2)
    same((response.status, origin.last("/n").get("If-None-Match")), (200, '"1"'))


def test_ttl_of_a_renewed_response(t):
    origin = t.origin({"/n": reply("x", etag='"1"', cache="max-age=0", headers=[("Content-Type", "image/png")])})
    larder = t.larder(origin, site="rule type image/* { ttl 6s; }")
    larder.fetch("/n")
    assert larder.fetch("/n").is_hit
    time.sleep(7.1)
    larder.fetch("/n")
    same(origin.last("/n").get("If-None-Match"), '"1"')
    assert larder.fetch("/n").is_hit, "the 304 has no Content-Type, the stored response has"
    same(origin.count("/n"), 2)


def test_lifetime_settings(t):
    """default_ttl, min_ttl, max_ttl: of the site, and of a rule in its place."""
    origin = t.origin({"/say": reply("x", cache="max-age=100"), "/silent": reply("x"), "/r/say": reply("x", cache="max-age=100"),
                       "/r/silent": reply("x")})
    larder = t.larder(origin, cache="default_ttl 20s; max_ttl 50s;", site="rule path /r/* { default_ttl 30s; max_ttl 1h; min_ttl 200s; }")
    for target, wanted in (("/say", 50), ("/silent", 20), ("/r/say", 200), ("/r/silent", 200)):
        larder.fetch(target)
        assert wanted - 12 <= ttl_of(larder.fetch(target)) <= wanted, target


def test_set_cookie_by_rule(t):
    origin = t.origin(default=reply("x", cache="max-age=60", headers=[("Set-Cookie", "a=b")]))
    larder = t.larder(origin, site="rule path /strip { set_cookie strip; } rule path /store { set_cookie store; }")
    assert not is_cached(larder, origin, "/pass")
    assert is_cached(larder, origin, "/strip")
    same(larder.fetch("/strip").get("Set-Cookie"), None)
    assert is_cached(larder, origin, "/store")
    same(larder.fetch("/store").get("Set-Cookie"), "a=b")


def test_ignore_cookies(t):
    origin = t.origin(default=reply("x", cache="max-age=60", headers=[("Set-Cookie", "a=b"), ("Vary", "Cookie, Accept")]))
    larder = t.larder(origin, site="rule path /static/* { ignore_cookies; }")
    cookie = [("Cookie", "sid=1")]
    first = larder.fetch("/static/a", headers=cookie)
    same(origin.last("/static/a").get("Cookie"), None, "kept from the origin")
    same(first.get("Set-Cookie"), None)
    same(first.get("Vary"), "Cookie, Accept", "the client is told as the origin said")
    assert larder.fetch("/static/a", headers=[("Cookie", "sid=2")]).is_hit
    assert larder.fetch("/static/a").is_hit, "no variant by Cookie"
    assert not larder.fetch("/static/a", headers=[("Accept", "x")]).is_hit, "the rest of Vary counts"
    larder.fetch("/other", headers=cookie)
    same(origin.last("/other").get("Cookie"), "sid=1")
    larder.fetch("/static/a", "POST", headers=cookie, body=b"x")
    same(origin.last("/static/a").get("Cookie"), "sid=1", "a request that passes keeps it")


def test_client_revalidate_by_rule(t):
    origin = t.origin(default=reply("x", cache="max-age=60"))
    larder = t.larder(origin, site="rule path /n { client_revalidate off; }")
    reload = [("Cache-Control", "no-cache")]
    for target, wanted in (("/y", False), ("/n", True)):
        larder.fetch(target)
        same(larder.fetch(target, headers=reload).is_hit, wanted, target)


def test_stale_by_rule(t):
    origin = t.origin()
    origin.default = counter(origin, cache="max-age=1")
    larder = t.larder(origin, site="rule path /swr { stale_while_revalidate 60s; } rule path /sie { stale_if_error 60s; }")
    for target in ("/swr", "/sie", "/none"):
        larder.fetch(target)
    time.sleep(2.2)
    response = larder.fetch("/swr")
    same(response.body, b"1")
    assert "stale" in response.cache_status, response.cache_status
    wait_for(lambda: origin.count("/swr") == 2, what="the refresh")
    origin.default = reply("down", 503)
    same(larder.fetch("/sie").body, b"1")
    same(larder.fetch("/none").status, 503)


def test_max_object(t):
    """Known lengths before, unknown ones while they come: served whole, not stored."""
    origin = t.origin()
    for name, size in (("big", 3000), ("small", 900)):
        origin.routes[f"/{name}"] = reply(content(name, size), cache="max-age=60")
        origin.routes[f"/c/{name}"] = reply(content(name, size), cache="max-age=60", chunked=True)
    origin.routes["/r/big"] = reply(content("big", 3000), cache="max-age=60")
    larder = t.larder(origin, cache="max_object 1K;", site="rule path /r/* { max_object 4K; }")
    for target, wanted in (("/small", True), ("/big", False), ("/c/small", True), ("/c/big", False), ("/r/big", True)):
        same(is_cached(larder, origin, target), wanted, target)
        name = target.rsplit("/", 1)[1]
        same_body(larder.fetch(target), content(name, 3000 if name == "big" else 900))
    assert "detail=too_large" in larder.fetch("/big").cache_status or "hit_for" in larder.fetch("/big").cache_status


def test_hit_for_miss(t):
    """The mark that lets requests go side by side: its time is the site's, or the rule's."""
    origin = t.origin()
    origin.default = counter(origin, cache="no-store")
    larder = t.larder(origin, cache="hit_for_miss 60s;", site="rule path /never { hit_for_miss 0; }")
    for target in ("/marked", "/never"):
        larder.fetch(target)
    assert "hit_for_miss" in larder.fetch("/marked").cache_status, larder.fetch("/marked").cache_status
    assert "hit_for_miss" not in larder.fetch("/never").cache_status, larder.fetch("/never").cache_status


def test_vary_ignore(t):
    origin = t.origin()
    origin.default = counter(origin, cache="max-age=60", headers=[("Vary", "Origin, X-V")])
    larder = t.larder(origin, cache="vary_ignore Origin;", site="rule path /all { vary_ignore off; }")
    larder.fetch("/a", headers=[("Origin", "http://x")])
    assert larder.fetch("/a", headers=[("Origin", "http://y")]).is_hit
    assert not larder.fetch("/a", headers=[("X-V", "1")]).is_hit
    larder.fetch("/all", headers=[("Origin", "http://x")])
    assert not larder.fetch("/all", headers=[("Origin", "http://y")]).is_hit


def test_vary_max(t):
    origin = t.origin()
    origin.default = counter(origin, cache="max-age=60", headers=[("Vary", "X-V")])
    larder = t.larder(origin, cache="vary_max 3;", site="rule path /one { vary_max 1; }")
    for number in range(8):
        larder.fetch("/a", headers=[("X-V", str(number))])
        larder.fetch("/one", headers=[("X-V", str(number))])
    same(larder.purge("http://site.test/a")["matched"], 3)
    same(larder.purge("http://site.test/one")["matched"], 1)
    for number in (1, 2, 3, 4):
        larder.fetch("/a", headers=[("X-V", str(number))])
    asked = origin.count("/a")
    for number in (2, 3, 4):
        assert larder.fetch("/a", headers=[("X-V", str(number))]).is_hit, "the oldest left"
    same(origin.count("/a"), asked)


def test_cache_status_by_rule(t):
    origin = t.origin(default=reply("x", cache="max-age=60", headers=[("Content-Type", "text/css")]))
    origin.routes["/e"] = reply("x", 404, cache="max-age=60")
    larder = t.larder(origin, site="cache_status off; rule path /on { cache_status on; } rule status 404 { cache_status on; }")
    same(larder.fetch("/a").get("Cache-Status"), None)
    assert larder.fetch("/on").cache_status
    for _ in range(2):
        assert larder.fetch("/e").cache_status, "also of a hit: the stored status decides"


def test_reload_changes_it_live(t):
    origin = t.origin()
    origin.default = counter(origin, cache="max-age=600")
    larder = t.larder(origin)
    assert is_cached(larder, origin, "/a")
    larder.write_config(site="rule path /a { pass; }")
    larder.command("reload", check=0)
    assert not is_cached(larder, origin, "/a")
    larder.write_config(site="rule path /a { pass; } rule cookie keep { pass off; }")
    larder.command("reload", check=0)
    assert not is_cached(larder, origin, "/a")
    assert larder.fetch("/a", headers=[("Cookie", "keep=1")]).is_hit
    larder.write_config(site="rule pth /a { pass; }")
    done = larder.command("reload")
    assert done.returncode != 0 and "did you mean \"path\"" in done.stdout + done.stderr, done
    assert not is_cached(larder, origin, "/a"), "a bad file changes nothing"


def test_reload_changes_settings_live(t):
    origin = t.origin()
    origin.default = counter(origin, cache="max-age=600", headers=[("Vary", "X-V")])
    larder = t.larder(origin)
    larder.fetch("/a")
    assert 590 <= ttl_of(larder.fetch("/a")) <= 600
    larder.write_config(site="rule path * { ttl 50s; vary_ignore X-V; }")
    larder.command("reload", check=0)
    larder.fetch("/b", headers=[("X-V", "1")])
    response = larder.fetch("/b", headers=[("X-V", "2")])
    assert response.is_hit and ttl_of(response) <= 50, response.cache_status
    assert ttl_of(larder.fetch("/a")) > 500, "what is stored keeps its lifetime"


def test_rules_while_followers_wait(t):
    """Several ask at once for what a rule keeps out: all are answered, none waits for another."""
    def slow(conn, request):
        origin.stopping.wait(0.4)
        conn.send(head(200, [("Cache-Control", "max-age=60"), ("Content-Type", "image/png"), ("Content-Length", "2")]) + b"ok")
    origin = t.origin({"/i": slow})
    larder = t.larder(origin, site="rule type image/* { pass; }")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(larder.fetch("/i").body)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(answers, [b"ok"] * 8)
    same(origin.count("/i"), 8)


def test_parts_obey_the_settings(t):
    """Ranges of an object that is too large, or kept out by what it is: served, and not stored in parts either."""
    body = content("/r", 3_000_000)

    def behave(conn, request):
        part = request.get("Range")
        fields = [("Cache-Control", "max-age=600"), ("ETag", '"1"'), ("Content-Type", "video/mp4"), ("Accept-Ranges", "bytes")]
        if part is None:
            conn.send(head(200, [*fields, ("Content-Length", str(len(body)))]) + (b"" if request.method == "HEAD" else body))
            return
        first, last = part.split("=")[1].split("-")
        first, last = int(first), min(int(last or len(body) - 1), len(body) - 1)
        conn.send(head(206, [*fields, ("Content-Range", f"bytes {first}-{last}/{len(body)}"), ("Content-Length", str(last - first + 1))])
                  + body[first:last + 1])
    origin = t.origin(default=behave)
    larder = t.larder(origin, site="""
        rule path /big { max_object 1M; }
        rule path /pass { pass; }
        rule path /typed method GET { vary_max 9; }
        rule type video/* path /typed { pass; }""")
    for target in ("/big", "/pass", "/typed"):
        for number in range(3):
            response = larder.fetch(target, headers=[("Range", "bytes=2000000-2000099")])
            same((response.status, response.body), (206, body[2000000:2000100]), target)
            assert not response.is_hit, (target, number, response.cache_status)
        same(larder.purge(f"http://site.test{target}")["matched"], 0, target)
    for _ in range(2):
        response = larder.fetch("/kept", headers=[("Range", "bytes=2000000-2000099")])
        same(response.body, body[2000000:2000100])
    assert response.is_hit, "the same without a rule is stored"


def test_later_parts_obey_rules_of_the_response(t):
    """A rule that knows the type counts for every part, not only for the one that began."""
    body = content("/p", 5_000_000)

    def behave(conn, request):
        first, last = request.get("Range").split("=")[1].split("-")
        first, last = int(first), min(int(last or len(body) - 1), len(body) - 1)
        conn.send(head(206, [("Cache-Control", "max-age=600"), ("ETag", '"1"'), ("Content-Type", "image/png"),
                             ("Content-Range", f"bytes {first}-{last}/{len(body)}"), ("Content-Length", str(last - first + 1))])
                  + body[first:last + 1])
    origin = t.origin(default=behave)
    larder = t.larder(origin, cache="max_object 1M;", site="rule type image/* { max_object 100M; }")
    larder.fetch("/p", headers=[("Range", "bytes=0-1")])
    for number in range(2):
        response = larder.fetch("/p", headers=[("Range", "bytes=4000000-4000009")])
        same((response.status, response.body), (206, body[4000000:4000010]))
    assert response.is_hit, response.cache_status
    same(origin.count("/p"), 2)
