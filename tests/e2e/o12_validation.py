"""RFC 9111 4.3 and RFC 9110 13: validation with the origin, conditions answered from the cache, HEAD and its GET."""
import time

from case import content, head, http_date, reply, same, same_body, sequence

OLD = http_date(-864000)
OLDER = http_date(-868000)  # made together: a long run asks much later


def not_modified(fields=()):
    """A 304 with these fields, and Date of its own time."""
    return lambda conn, _request: conn.send(head(304, fields))


def test_our_validators_in_place_of_the_clients(t):
    """4.3.1: exactly the stored ETag and Last-Modified; the client's conditions go, all else it says stays."""
    for etag in ('"a"', 'W/"weak"', 'unquoted', '"with, comma"', '"ob\xe9"', '""'):
        origin = t.origin({"/v": reply("x", cache="max-age=1", headers=[("ETag", etag), ("Last-Modified", OLD)])})
        larder = t.larder(origin)
        larder.fetch("/v")
        time.sleep(2.1)
        larder.fetch("/v", headers=[("If-None-Match", '"mine"'), ("If-Modified-Since", http_date(-5)), ("Range", "bytes=0-0"),
                                    ("If-Range", '"mine"'), ("Accept", "a/b"), ("X-One", "1"), ("Authorization", "Basic eDp5"),
                                    ("Cache-Control", "max-stale=0")])
        request = origin.last("/v")
        same(origin.count("/v"), 2)
        same((request.all("If-None-Match"), request.all("If-Modified-Since")), ([etag], [OLD]))
        same((request.get("Range"), request.get("If-Range")), (None, None))
        same([request.get(name) for name in ("Accept", "X-One", "Authorization", "Cache-Control")],
             ["a/b", "1", "Basic eDp5", "max-stale=0"])


def test_304_updates_all_but_what_describes_the_body(t):
    """4.3.4, 3.2: replaced, added and kept fields; a new age; the length is that of the stored body."""
    origin = t.origin({"/u": sequence(
        reply("body", cache="max-age=1", headers=[("ETag", '"1"'), ("X-Old", "stays"), ("X-Twice", "a"), ("X-Twice", "b"),
                                                  ("Content-Type", "text/a"), ("Age", "0"), ("Expires", OLD)]),
        not_modified([("ETag", '"1"'), ("Cache-Control", "max-age=600"), ("X-Twice", "c"), ("X-New", "1"), ("Age", "7"),
                      ("Content-Length", "0"), ("Content-Type", "text/b"), ("Connection", "X-Hop"), ("X-Hop", "1")]))})
    larder = t.larder(origin)
    first = larder.fetch("/u")
    time.sleep(2.1)
    begin = time.monotonic()
    for number in range(2):
        response = larder.fetch("/u")
        same((response.status, response.body, response.all("Content-Length")), (200, b"body", ["4"]))
        same([response.get(name) for name in ("X-Old", "X-Twice", "X-New", "Content-Type", "Cache-Control", "X-Hop")],
             ["stays", "c", "1", "text/b", "max-age=600", None])
        assert response.get("Date") != first.get("Date") and len(response.all("Date")) == 1, response.raw_head
        assert 7 <= response.age <= 8 + time.monotonic() - begin, f"the age of the 304 counts: {response.age}"
        assert response.is_hit == (number == 1), response.cache_status
    same(origin.count("/u"), 2)
    larder.restart()
    response = larder.fetch("/u")
    same((response.body, response.get("X-New"), response.get("X-Twice"), response.is_hit), (b"body", "1", "c", True),
         "the updated fields are on disk")


def test_after_validation_the_clients_own_condition(t):
    """4.3.4: 304 or 200 by what the client has, not by what the origin said to us."""
    origin = t.origin({"/c": reply("body", cache="max-age=1", etag='"1"', headers=[("Last-Modified", OLD)])})
    larder = t.larder(origin)
    larder.fetch("/c")
    for fields, status in (([("If-None-Match", '"1"')], 304), ([("If-None-Match", '"2"')], 200), ([], 200),
                           ([("If-Modified-Since", OLD)], 304), ([("If-Modified-Since", http_date(-999999))], 200)):
        time.sleep(2.1)
        response = larder.fetch("/c", headers=fields)
        same((response.status, response.body), (status, b"" if status == 304 else b"body"), str(fields))
        assert "fwd=stale" in response.cache_status and "fwd-status=304" in response.cache_status, response.cache_status


def test_304_of_another_representation(t):
    """A different strong ETag updates nothing: the origin is asked again without a condition, once."""
    for second in ('"2"', '"1 "'):
        origin = t.origin({"/x": sequence(
            reply("one", cache="max-age=1", headers=[("ETag", '"1"')]),
            not_modified([("ETag", second), ("Cache-Control", "max-age=600"), ("X-Poison", "1")]),
            reply("two", cache="max-age=600", headers=[("ETag", second)]))})
        larder = t.larder(origin)
        larder.fetch("/x")
        time.sleep(2.1)
        for _ in range(2):
            response = larder.fetch("/x")
            same((response.status, response.body, response.get("X-Poison")), (200, b"two", None))
        same([request.get("If-None-Match") for request in origin.requests], [None, '"1"', None])


def languages(conn, request):
    """Three variants by language; en and en-GB are the same representation."""
    language = request.get("Accept-Language", "none")
    tag = {"en-GB": '"en"'}.get(language, f'"{language}"')
    fields = [("Vary", "Accept-Language"), ("Cache-Control", "max-age=600"), ("ETag", tag), ("X-For", language)]
    if tag in (request.get("If-None-Match") or ""):
        conn.send(head(304, fields))
    else:
        body = content(tag, 70_000)
        conn.send(head(200, [*fields, ("Content-Length", str(len(body)))]) + body)


def test_validators_of_all_variants(t):
    """4.3.1, 4.3.3: no variant matches; all ETags are offered, and a 304 says which one answers this request too."""
    origin = t.origin({"/v": languages})
    larder = t.larder(origin)
    for language in ("de", "en"):
        same_body(larder.fetch("/v", headers=[("Accept-Language", language)]), content(f'"{language}"', 70_000))
    same(sorted((origin.requests[1].get("If-None-Match") or "").split(", ")), ['"de"'])
    response = larder.fetch("/v", headers=[("Accept-Language", "en-GB"), ("If-None-Match", '"mine"')])
    same((response.status, response.get("X-For"), response.is_hit), (200, "en-GB", False))
    same_body(response, content('"en"', 70_000))
    same(sorted(origin.last("/v").get("If-None-Match").split(", ")), ['"de"', '"en"'], "offered in one field")
    assert "fwd=vary-miss" in response.cache_status and "fwd-status=304" in response.cache_status, response.cache_status
    for _ in range(2):
        for language, tag in (("en-GB", "en"), ("en", "en"), ("de", "de")):
            response = larder.fetch("/v", headers=[("Accept-Language", language)])
            same_body(response, content(f'"{tag}"', 70_000))
            same((response.is_hit, response.get("X-For")), (True, language))
        larder.restart()
    same(origin.count("/v"), 3)
    response = larder.fetch("/v", headers=[("Accept-Language", "fr")])
    same_body(response, content('"fr"', 70_000))
    response = larder.fetch("/v", headers=[("Accept-Language", "en-GB"), ("If-None-Match", '"en"')])
    same((response.status, origin.count("/v")), (304, 4), "and the client's own condition")


def test_304_that_selects_no_variant(t):
    """A tag that was not offered, or none where several were: asked again without a condition."""
    for fields in ([("ETag", '"other"')], []):
        state = {"n": 0}

        def behave(conn, request):
            state["n"] += 1
            if request.get("If-None-Match") and state["n"] > 2:
                conn.send(head(304, fields))
            else:
                reply(f"body {state['n']}", cache="max-age=600", headers=[("Vary", "X-V"), ("ETag", f'"{state["n"]}"')])(
                    conn, request)
        larder = t.larder(t.origin({"/v": behave}))
        for number in (1, 2):
            larder.fetch("/v", headers=[("X-V", str(number))])
        response = larder.fetch("/v", headers=[("X-V", "3")])
        same((response.status, response.body, state["n"]), (200, b"body 4", 4))
        assert larder.fetch("/v", headers=[("X-V", "3")]).is_hit


def test_conditions_on_a_hit_in_every_combination(t):
    """13.1.2, 13.1.3, 13.2.2 for a stored response with each kind of validator."""
    stored = {"/strong": [("ETag", '"v"'), ("Last-Modified", OLD)], "/weak": [("ETag", 'W/"v"'), ("Last-Modified", OLD)],
              "/odd": [("ETag", 'v-1'), ("Last-Modified", OLD)], "/date": [("Last-Modified", OLD)], "/none": []}
    origin = t.origin({path: reply("body", cache="max-age=600", headers=fields) for path, fields in stored.items()})
    larder = t.larder(origin)
    for path in stored:
        larder.fetch(path)
    tags = {"/strong": True, "/weak": True, "/odd": False, "/date": False, "/none": False}
    since = [(OLD, True), (http_date(-1), True), (OLDER, False), ("0", False), (f"{OLD}, x", False)]
    with larder.client() as client:
        def check(path, fields, wanted):
            client.request(path, headers=fields)
            response = client.read_response()
            same(response.status, 304 if wanted else 200, f"{path} {fields}")
            same(response.is_hit, True)
        for path, has_tag in tags.items():
            for value in ('"v"', 'W/"v"', '"a","v"', '"a", W/"v" ,"b"', ' , "v",', '"v", "a"'):
                check(path, [("If-None-Match", value)], has_tag)
            for value in ('"V"', '"v', 'v', '"x"', 'W/v', 'w/"v"', '"v-1"'):
                check(path, [("If-None-Match", value)], False)
            check(path, [("If-None-Match", "*")], True)
            check(path, [("If-None-Match", '"a"'), ("If-None-Match", '"v"')], has_tag)
            check(path, [("If-None-Match", "v-1")], path == "/odd")
            check(path, [("If-None-Match", '"a", v-1')], path == "/odd")
            for value, matches in since:
                if path != "/none":
                    check(path, [("If-Modified-Since", value)], matches)
                check(path, [("If-None-Match", '"x"'), ("If-Modified-Since", value)], False)
                check(path, [("If-Modified-Since", value), ("If-None-Match", '"v"')], has_tag)
        check("/none", [("If-Modified-Since", http_date(5))], True)
        check("/none", [("If-Modified-Since", http_date(-3600))], False)
    same(origin.count(), len(stored))


def test_fields_of_a_304(t):
    """RFC 9110 15.4.5: what a client needs to renew its copy, and no representation metadata beside it."""
    fields = [("ETag", '"v"'), ("Expires", http_date(600)), ("Content-Location", "/k?x"), ("Vary", "Accept"),
              ("Content-Type", "text/x"), ("Content-Language", "de"), ("Content-Encoding", "x-odd")]
    origin = t.origin({"/k": reply("body", cache="max-age=600", headers=fields)})
    larder = t.larder(origin)
    larder.fetch("/k")
    response = larder.fetch("/k", headers=[("If-None-Match", '"v"')])
    same((response.status, response.body), (304, b""))
    for name, value in [*fields[:4], ("Cache-Control", "max-age=600")]:
        same(response.all(name), [value], name)
    same((len(response.all("Date")), response.age >= 0, response.is_hit), (1, True, True))
    for name in ("Content-Type", "Content-Encoding", "Content-Language", "Content-Length", "Transfer-Encoding"):
        same(response.get(name), None, name)


def test_if_match_and_if_unmodified_since_are_the_origins(t):
    """RFC 9111 4.3.2: not for a cache to judge; also on what is fresh in the store."""
    def behave(conn, request):
        if request.get("If-Match") or request.get("If-Unmodified-Since"):
            reply("no", 412)(conn, request)
        else:
            reply("yes", cache="max-age=600", etag='"1"', headers=[("Last-Modified", OLD)])(conn, request)
    origin = t.origin({"/p": behave})
    larder = t.larder(origin)
    larder.fetch("/p")
    for number, (name, value) in enumerate((("If-Match", '"1"'), ("If-Match", "*"), ("If-Unmodified-Since", http_date())), 2):
        for method in ("GET", "HEAD"):
            response = larder.fetch("/p", method, headers=[(name, value), ("If-None-Match", '"9"')])
            same((response.status, response.is_hit), (412, False), name)
            same((origin.last("/p").all(name), origin.last("/p").all("If-None-Match")), ([value], ['"9"']))
        same(larder.fetch("/p", headers=[(name, value), ("Cache-Control", "only-if-cached")]).status, 504)
        same(origin.count("/p"), number * 2 - 1)
    assert larder.fetch("/p").is_hit


def get_and_head(get_fields, head_fields, body="body"):
    """GET as stored; HEAD with fields of its own."""
    def behave(conn, request):
        if request.method == "HEAD":
            conn.send(head(200, head_fields))
        else:
            reply(body, headers=get_fields)(conn, request)
    return behave


def test_head_that_agrees_updates(t):
    """4.3.5: the same validators and length: fields and age of the stored GET response are renewed."""
    stored = [("Cache-Control", "max-age=2"), ("ETag", '"1"'), ("Last-Modified", OLD), ("X-Round", "get")]
    for fields in ([("ETag", '"1"'), ("Last-Modified", OLD), ("Content-Length", "4")], [("ETag", '"1"')],
                   [("Content-Length", "4")]):
        origin = t.origin({"/h": get_and_head(stored, [*fields, ("X-Round", "head"), ("Cache-Control", "max-age=600")])})
        larder = t.larder(origin)
        larder.fetch("/h")
        time.sleep(3.1)
        begin = time.monotonic()
        response = larder.fetch("/h", "HEAD")
        same((response.status, response.get("X-Round")), (200, "head"))
        same((origin.last("/h").method, origin.last("/h").get("If-None-Match")), ("HEAD", None))
        response = larder.fetch("/h")
        same((response.body, response.get("X-Round"), response.is_hit), (b"body", "head", True), str(fields))
        same((response.get("ETag"), response.all("Content-Length")), ('"1"', ["4"]))
        assert response.age <= 1 + time.monotonic() - begin, response.age
        larder.restart()
        same(larder.fetch("/h").get("X-Round"), "head", "also on disk")
        same(origin.count("/h"), 2)


def test_head_that_differs_makes_stale(t):
    """4.3.5: another ETag, date or length: the stored response of GET is validated before it is used again."""
    stored = [("Cache-Control", "max-age=600"), ("ETag", '"1"'), ("Last-Modified", OLD)]
    for fields in ([("ETag", '"2"')], [("ETag", 'W/"1"')], [("Last-Modified", http_date(-5))], [("Content-Length", "5")],
                   [("ETag", '"1"'), ("Content-Length", "40")]):
        origin = t.origin({"/h": get_and_head(stored, [*fields, ("Cache-Control", "max-age=600"), ("X-Head", "1")])})
        larder = t.larder(origin)
        larder.fetch("/h")
        assert larder.fetch("/h").is_hit
        larder.fetch("/h", "HEAD", headers=[("Cache-Control", "no-cache")])
        larder.restart()
        response = larder.fetch("/h")
        same((response.body, response.is_hit, response.get("X-Head")), (b"body", False, None), str(fields))
        same(origin.last("/h").get("If-None-Match"), '"1"')
        same(origin.count("/h"), 3)


def test_other_heads_change_nothing(t):
    """A HEAD that fails, one that may not be stored, one of another variant."""
    stored = [("Cache-Control", "max-age=600"), ("ETag", '"1"'), ("Vary", "X-V")]
    origin = t.origin()
    larder = t.larder(origin)
    for number, (status, fields, ask) in enumerate((
            (500, [("ETag", '"2"')], []), (404, [("Content-Length", "9")], []), (302, [("Location", "/")], []),
            (200, [("ETag", '"1"'), ("Cache-Control", "no-store"), ("X-Round", "head")], []),
            (200, [("ETag", '"2"')], [("X-V", "other")]))):
        path = f"/h{number}"
        origin.routes[path] = lambda conn, request, s=status, f=fields: (
            conn.send(head(s, f)) if request.method == "HEAD" else reply("body", headers=stored)(conn, request))
        larder.fetch(path)
        larder.fetch(path, "HEAD", headers=[("Cache-Control", "no-cache"), *ask])
        response = larder.fetch(path)
        same((response.is_hit, response.get("X-Round"), origin.count(path)), (True, None, 2), path)


def test_head_is_forwarded_as_head(t):
    """A HEAD for what is not stored costs the origin no body, and is not stored as a GET."""
    origin = t.origin({"/h": reply("body", cache="max-age=600")})
    larder = t.larder(origin)
    for number in (1, 2):
        response = larder.fetch("/h", "HEAD")
        same((response.status, response.get("Content-Length"), response.is_hit), (200, "4", False))
        same((origin.last("/h").method, origin.count("/h")), ("HEAD", number))
    same(larder.fetch("/h").body, b"body")
    response = larder.fetch("/h", "HEAD")
    same((response.is_hit, response.get("Content-Length"), response.body), (True, "4", b""))
    same(larder.fetch("/h", "HEAD", headers=[("If-None-Match", "*")]).status, 304)
