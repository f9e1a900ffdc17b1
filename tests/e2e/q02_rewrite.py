"""Host and paths towards the origin, and what it says of itself as the client may follow it."""
import json

from case import http_date, reply, same


def echo(origin, **words):
    return reply(lambda request: f"{request.get('Host')} {request.target} {origin.count()}", **words)


def setup(t, **words):
    origin = t.origin()
    origin.default = echo(origin, cache="max-age=600")
    return origin, t.larder(origin, **words)


def sent(origin):
    return origin.last().get("Host"), origin.last().target


def test_prefixes_of_a_site(t):
    origin, larder = setup(t, site="strip_prefix /api; add_prefix /v2;")
    for target, wanted in (("/api/x?a=/api", "/v2/x?a=/api"), ("/api", "/v2/"), ("/api/", "/v2/"), ("/api?q", "/v2/?q"),
                           ("/apix", "/v2/apix"), ("/API/x", "/v2/API/x"), ("/x/api", "/v2/x/api"),
                           ("/api/a%20b%2Fc", "/v2/a%20b%2Fc"), ("/", "/v2/")):
        same(larder.fetch(target).status, 200)
        same(sent(origin), ("site.test", wanted), target)
        assert larder.fetch(target).is_hit, target
    larder.fetch("*", "OPTIONS")
    same(origin.last().target, "*")
    larder.fetch("/api/p", "POST", body=b"x")
    same(origin.last().target, "/v2/p")
    # The key is what the client asked: these two reach the same page of the origin.
    same(origin.count("/v2/"), 4)
    same(json.loads(larder.fetch("/api/x?a=/api", "PURGE").body)["matched"], 1)
    same(json.loads(larder.fetch("/v2/x", "PURGE").body)["matched"], 0)
    assert not larder.fetch("/api/x?a=/api").is_hit


def test_dots_never_leave_the_prefix(t):
    origin, larder = setup(t, site="add_prefix /tenant;")
    larder.fetch("/a/../../x")
    same(sent(origin), ("site.test", "/tenant/x"))
    larder.fetch("/%2e%2e/y")
    same(sent(origin), ("site.test", "/tenant/y"))
    count = origin.count()
    for target in ("/..%2fother", "/..%5cother", "/..\\other", "/a/..;x/other", "/%2e.%2F"):
        same(larder.fetch(target).status, 400, target)
    same(origin.count(), count)


def test_rules(t):
    origin, larder = setup(t, site="""strip_prefix /old;
        rule prefix /api { strip_prefix /api; host api.internal; }
        rule path /img/* { add_prefix /static; host server; }
        rule prefix /api/v1 { strip_prefix off; host client; }
        rule cookie beta { pass; add_prefix /beta; }""")
    server = f"127.0.0.1:{origin.port}"
    for target, wanted in (("/old/x", ("site.test", "/x")), ("/api/x", ("api.internal", "/x")),
                           ("/%61pi/y", ("api.internal", "/y")), ("/apix", ("site.test", "/apix")),
                           ("/img/x", (server, "/static/img/x")), ("/api/v1/x", ("site.test", "/api/v1/x")),
                           ("/api/v10", ("api.internal", "/v10"))):
        larder.fetch(target)
        same(sent(origin), wanted, target)
        assert larder.fetch(target).is_hit, target
    response = larder.fetch("/old/x", headers=[("Cookie", "beta=1")])
    same((response.is_hit, sent(origin)), (False, ("site.test", "/beta/x")))
    assert larder.fetch("/old/x").body.startswith(b"site.test /x "), "the others' page is another"


def test_host_of_origins(t):
    for word in ("host app.internal:81;", "host server;", "host client;"):
        origin, larder = setup(t, origins=word)
        larder.fetch("/x", host="site.test:8000")
        wanted = {"host server;": f"127.0.0.1:{origin.port}", "host client;": "site.test:8000"}.get(word, "app.internal:81")
        same(sent(origin), (wanted, "/x"))


def locations(t, cases, **words):
    """What the origin says, and what the client gets; again from the cache."""
    origin = t.origin()
    larder = t.larder(origin, **words)
    for number, (said, wanted) in enumerate(cases):
        said, wanted = (text.replace("SERVER", f"127.0.0.1:{origin.port}") for text in (said, wanted))
        origin.default = reply(b"x", 302, cache="max-age=600", headers=[("Location", said), ("Content-Location", said),
                                                                        ("X-Location", said)])
        for turn in ("fetched", "stored"):
            response = larder.fetch(f"/api/{number}")
            same((response.get("Location"), response.get("Content-Location"), response.get("X-Location")),
                 (wanted, wanted, said), f"{said}, {turn}")
            same(response.is_hit, turn == "stored")
    return origin, larder


def test_location_of_the_origin(t):
    locations(t, [("http://SERVER/x?a=b", "/x?a=b"), ("http://SERVER", "/"), ("//SERVER/x", "/x"),
                  ("https://SERVER/x", "https://SERVER/x"), ("http://site.test/x", "http://site.test/x"),
                  ("http://elsewhere.test/x", "http://elsewhere.test/x"), ("/x", "/x"), ("x", "x"),
                  ("http://SERVER//elsewhere.test/", "http://SERVER//elsewhere.test/")])


def test_location_with_prefixes(t):
    locations(t, [("/v2/x", "/api/x"), ("/v2", "/api/"), ("/login", "/login"), ("/v20", "/v20"),
                  ("http://app.internal/v2/x", "/api/x"), ("http://SERVER/v2/x#f", "/api/x#f"),
                  ("http://site.test/v2/x", "http://site.test/api/x"), ("https://site.test/v2/x", "https://site.test/api/x"),
                  ("http://elsewhere.test/v2/x", "http://elsewhere.test/v2/x"), ("../y", "../y")],
              site="strip_prefix /api; add_prefix /v2;", origins="host app.internal;")


def test_location_off(t):
    locations(t, [("http://SERVER/x", "http://SERVER/x"), ("/v2/x", "/v2/x")],
              site="strip_prefix /api; add_prefix /v2; redirect_rewrite off;")


def test_location_of_the_unstripped(t):
    """What had no prefix to strip gets none back."""
    origin = t.origin()
    larder = t.larder(origin, site="strip_prefix /api; add_prefix /v2;")
    origin.default = reply(b"", 302, headers=[("Location", "/v2/y")])
    same(larder.fetch("/x").get("Location"), "/y")


def test_renewal_and_invalidation(t):
    """A 304 brings its Content-Location in the public form too; what POST names is dropped under its public address."""
    origin = t.origin()
    larder = t.larder(origin, site="strip_prefix /api; add_prefix /v2;")
    origin.default = reply(b"x", cache="max-age=0", etag='"1"', headers=[("Content-Location", "/v2/c"),
                                                                          ("Last-Modified", http_date(-9))])
    larder.fetch("/api/c")
    response = larder.fetch("/api/c")
    same((origin.last().get("If-None-Match"), response.get("Content-Location")), ('"1"', "/api/c"))
    origin.default = reply(b"y", cache="max-age=600")
    larder.fetch("/api/made")
    assert larder.fetch("/api/made").is_hit
    origin.default = reply(b"", 201, headers=[("Location", "/v2/made")])
    same(larder.fetch("/api/new", "POST", body=b"x").get("Location"), "/api/made")
    origin.default = reply(b"z", cache="max-age=600")
    assert not larder.fetch("/api/made").is_hit


def test_explain(t):
    origin, larder = setup(t, site="strip_prefix /api;\nrule prefix /api/img { host img.internal; add_prefix /s; }")
    answer = json.loads(larder.command("explain", "http://site.test/api/img/x?q", "--json", check=0).stdout)
    same((answer["key"], answer["origin"]["host"], answer["origin"]["target"]),
         ("http://site.test/api/img/x?q", "img.internal", "/s/img/x?q"))
    found = {one["name"]: (one["value"], one["from"]) for one in answer["settings"]}
    same((found["host"], found["add_prefix"], found["strip_prefix"], found["redirect_rewrite"]),
         (("img.internal", "rule"), ("/s", "rule"), ("/api", "site"), ("on", "default")))
    answer = json.loads(larder.command("explain", "http://site.test/api/x", "--json", check=0).stdout)
    found = {one["name"]: (one["value"], one["from"]) for one in answer["settings"]}
    same((found["host"], found["add_prefix"]), (("client", "default"), ("off", "default")))
    same(answer["origin"]["host"], "site.test")
