"""header request and header response: what reaches the origin, what reaches the client, byte for byte."""
import re
import time

from case import reply, same, wait_for


def test_request(t):
    origin = t.origin(default=reply("x"))
    larder = t.larder(origin, site="""
        header request set X-Set "one two";
        header request add X-Add 1;
        header request remove User-Agent;
        header request set X-Forwarded-Proto https;
        header request set Accept "";""")
    larder.fetch("/a", headers=[("X-Set", "0"), ("x-set", "00"), ("X-Add", "0"), ("user-agent", "u"), ("Accept", "b"), ("X-Keep", "k")])
    request = origin.last()
    same(request.all("X-Set"), ["one two"])
    same(request.all("X-Add"), ["0", "1"])
    same(request.all("User-Agent"), [])
    same(request.all("X-Forwarded-Proto"), ["https"])
    same(request.all("Accept"), [""])
    same(request.get("X-Keep"), "k")
    same(request.get("Host"), "site.test")
    assert re.fullmatch("1.1 larder-[0-9a-f]{12}", request.get("Via")), request.raw_head
    assert "X-Set: one two\r\n" in request.raw_head.decode() + "\r\n", request.raw_head


def test_request_by_rule_and_in_order(t):
    origin = t.origin(default=reply("x"))
    larder = t.larder(origin, site="""
        header request set X-A site;
        rule path /b* { header request add X-A rule; }
        rule path /bc { header request remove X-A; header request add X-A last; }
        rule method POST { header request set X-Method post; }""")
    for target, wanted in (("/a", ["site"]), ("/b", ["site", "rule"]), ("/bc", ["last"])):
        larder.fetch(target)
        same(origin.last().all("X-A"), wanted, target)
    larder.fetch("/a", "POST", body=b"x")
    same(origin.last().all("X-Method"), ["post"], "also of requests that pass")


def test_request_of_a_validation(t):
    """Our own conditions are ours, and the changes apply there as well; also in the background."""
    origin = t.origin(default=reply("x", cache="max-age=1, stale-while-revalidate=60", etag='"1"'))
    larder = t.larder(origin, site="header request set X-A 1;")
    larder.fetch("/a")
    time.sleep(2.2)
    larder.fetch("/a")
    wait_for(lambda: origin.count("/a") == 2, what="the refresh")
    same((origin.last("/a").all("If-None-Match"), origin.last("/a").all("X-A")), (['"1"'], ["1"]))


def test_response(t):
    origin = t.origin(default=reply("body", cache="max-age=60", headers=[("X-Powered-By", "x"), ("x-powered-by", "y"),
                                                                         ("Server", "s"), ("X-Add", "0")]))
    larder = t.larder(origin, site="""
        header response remove X-Powered-By;
        header response set Server front;
        header response add X-Add 1;
        header response set Cache-Control "no-cache";""")
    for wanted in (False, True, True):
        response = larder.fetch("/a")
        same(response.is_hit, wanted, "stored by what the origin said")
        same(response.all("X-Powered-By"), [])
        same(response.all("Server"), ["front"])
        same(response.all("X-Add"), ["0", "1"])
        same(response.all("Cache-Control"), ["no-cache"])
        same((response.body, response.get("Content-Length")), (b"body", "4"))
    same(larder.fetch("/a", "HEAD").all("X-Add"), ["0", "1"])


def test_response_of_every_kind(t):
    """Hits, parts, 304, passes, chunked bodies: all that is the origin's or the cache's."""
    origin = t.origin({"/h": reply("0123456789", cache="max-age=60", etag='"1"'), "/c": reply("abc", chunked=True),
                       "/p": reply("x", cache="no-store")})
    larder = t.larder(origin, site="header response set X-A 1; header response remove ETag;")
    larder.fetch("/h")
    part = larder.fetch("/h", headers=[("Range", "bytes=2-4")])
    same((part.status, part.body, part.all("X-A"), part.get("ETag")), (206, b"234", ["1"], None))
    unchanged = larder.fetch("/h", headers=[("If-None-Match", '"1"')])
    same((unchanged.status, unchanged.all("X-A")), (304, ["1"]))
    chunked = larder.fetch("/c")
    same((chunked.body, chunked.all("X-A")), (b"abc", ["1"]))
    same(larder.fetch("/p").all("X-A"), ["1"])
    same(larder.fetch("/p", "POST", body=b"x").all("X-A"), ["1"])


def test_response_by_rule(t):
    """Also by what the stored response is, for each hit."""
    origin = t.origin({"/i": reply("x", cache="max-age=60", headers=[("Content-Type", "image/png")]),
                       "/h": reply("x", cache="max-age=60", headers=[("Content-Type", "text/html")]),
                       "/e": reply("x", 404, cache="max-age=60")})
    larder = t.larder(origin, site="""
        header response set X-A site;
        rule type image/* { header response add X-A image; }
        rule status 4xx { header response remove X-A; }
        rule cookie debug { header response set X-Debug yes; }""")
    for _ in range(2):
        same(larder.fetch("/i").all("X-A"), ["site", "image"])
        same(larder.fetch("/h").all("X-A"), ["site"])
        same(larder.fetch("/e").all("X-A"), [])
    same(larder.fetch("/h", headers=[("Cookie", "debug=1")]).all("X-Debug"), ["yes"])
    same(larder.fetch("/h").all("X-Debug"), [], "made for each request anew, never stored")


def test_reload_changes_stored_responses(t):
    origin = t.origin(default=reply("x", cache="max-age=60", headers=[("X-Powered-By", "x")]))
    larder = t.larder(origin)
    larder.fetch("/a")
    same(larder.fetch("/a").get("X-Powered-By"), "x")
    larder.write_config(site="header response remove X-Powered-By; header request set X-R 1;")
    larder.command("reload", check=0)
    response = larder.fetch("/a")
    assert response.is_hit and response.get("X-Powered-By") is None, response
    larder.fetch("/b")
    same(origin.last("/b").get("X-R"), "1")


def test_many_fields(t):
    """A head with as many lines as an origin may send, edited."""
    fields = [(f"X-{n}", "v" * 50) for n in range(200)]
    origin = t.origin(default=reply("x", cache="max-age=60", headers=fields))
    larder = t.larder(origin, site="header response remove X-7; header response set X-8 z; header response add X-9 w;")
    for _ in range(2):
        response = larder.fetch("/a")
        same((response.get("X-7"), response.all("X-8"), response.all("X-9")), (None, ["z"], ["v" * 50, "w"]))
        same(sum(name.startswith("X-") for name, _ in response.headers), 200)


def test_forbidden_names(t):
    larder = t.larder(t.origin())
    for line in ("header request set Host x;", "header response set Content-Length 5;", "header response remove Age;",
                 "header request set X-A \"a\tb\x01\";"):
        larder.write_config(site=line)
        done = larder.cli("check", larder.config_path)
        same(done.returncode, 1, line)
        assert ":" in done.stderr + done.stdout and "^" in done.stderr + done.stdout, (line, done)
