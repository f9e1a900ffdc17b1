"""RFC 9111 4.3 and RFC 9110 13: conditional requests, both ways."""
import time

from case import content, head, http_date, reply, same, same_body, sequence


def versioned(state):
    """A body and ETag made from state["v"], fresh for state["max_age"]; 304 when the proxy already has it."""
    def behave(conn, request):
        etag = f'"{state["v"]}"'
        fields = [("Cache-Control", f"max-age={state.get('max_age', 1)}"), ("ETag", etag), ("X-Round", str(state.setdefault("n", 0)))]
        state["n"] += 1
        if request.get("If-None-Match") == etag:
            conn.send(head(304, fields))
        else:
            body = content(str(state["v"]), 5000)
            conn.send(head(200, [*fields, ("Content-Length", str(len(body)))]) + body)
    return behave


def test_etag_confirmed(t):
    state = {"v": 1}
    origin = t.origin({"/e": versioned(state)})
    larder = t.larder(origin)
    same(larder.fetch("/e").get("X-Round"), "0")
    time.sleep(2.1)
    state["max_age"], begin = 600, time.monotonic()
    second = larder.fetch("/e")
    same(second.status, 200)
    same_body(second, content("1", 5000))
    same(second.get("X-Round"), "1", "a 304 updates the stored fields")
    same(second.all("Content-Length"), ["5000"])
    same(origin.last("/e").get("If-None-Match"), '"1"')
    assert "fwd=stale" in second.cache_status and "fwd-status=304" in second.cache_status, second.cache_status
    third = larder.fetch("/e")
    assert third.is_hit and third.age <= time.monotonic() - begin + 1, "a 304 makes it fresh again"
    same(third.get("X-Round"), "1")
    same_body(third, content("1", 5000))
    same(origin.count("/e"), 2)


def test_etag_changed(t):
    state = {"v": 1}
    origin = t.origin({"/e": versioned(state)})
    larder = t.larder(origin)
    larder.fetch("/e")
    state.update(v=2, max_age=600)
    time.sleep(2.1)
    same_body(larder.fetch("/e"), content("2", 5000))
    response = larder.fetch("/e")
    assert response.is_hit
    same_body(response, content("2", 5000))


def test_last_modified(t):
    stamp = http_date(-864000)

    def behave(conn, request):
        fields = [("Cache-Control", "max-age=1"), ("Last-Modified", stamp)]
        if request.get("If-Modified-Since") == stamp:
            conn.send(head(304, fields))
        else:
            conn.send(head(200, [*fields, ("Content-Length", "3")]) + b"old")
    origin = t.origin({"/m": behave})
    larder = t.larder(origin)
    larder.fetch("/m")
    time.sleep(2.1)
    response = larder.fetch("/m")
    same((response.status, response.body), (200, b"old"))
    same(origin.last("/m").get("If-Modified-Since"), stamp)
    same(origin.count("/m"), 2)


def test_no_cache_is_stored_and_validated(t):
    origin = t.origin({"/n": reply("body", cache="no-cache", etag='"v"')})
    larder = t.larder(origin)
    for number in range(3):
        response = larder.fetch("/n")
        same((response.status, response.body), (200, b"body"))
        same(origin.last("/n").get("If-None-Match"), None if number == 0 else '"v"')
    same(origin.count("/n"), 3)


def test_client_conditions_on_a_hit(t):
    stamp = http_date(-864000)
    origin = t.origin({"/c": reply("body", cache="max-age=600", headers=[("ETag", 'W/"v1"'), ("Last-Modified", stamp),
                                                                      ("Vary", "X"), ("X-Other", "1")])})
    larder = t.larder(origin)
    larder.fetch("/c")
    table = [
        ([("If-None-Match", '"v1"')], 304), ([("If-None-Match", 'W/"v1"')], 304), ([("If-None-Match", "*")], 304),
        ([("If-None-Match", '"a", "b" , W/"v1"')], 304), ([("If-None-Match", '"a"'), ("If-None-Match", '"v1"')], 304),
        ([("If-None-Match", '"v2"')], 200), ([("If-None-Match", '"v"')], 200),
        ([("If-Modified-Since", stamp)], 304), ([("If-Modified-Since", http_date(-10))], 304),
        ([("If-Modified-Since", http_date(-900000))], 200), ([("If-Modified-Since", "nonsense")], 200),
        ([("If-None-Match", '"v2"'), ("If-Modified-Since", stamp)], 200),
        ([("If-None-Match", '"v1"'), ("If-Modified-Since", http_date(-900000))], 304),
    ]
    with larder.client() as client:
        for fields, status in table:
            client.request("/c", headers=fields)
            response = client.read_response()
            same(response.status, status, str(fields))
            if status == 304:
                same((response.get("ETag"), response.get("Vary"), response.get("Cache-Control")),
                     ('W/"v1"', "X", "max-age=600"), str(fields))
                assert response.get("Date") and response.get("Content-Length") in (None, "4"), response.raw_head
            else:
                same(response.body, b"body")
    same(origin.count("/c"), 1)


def test_client_condition_on_a_miss(t):
    """The client's own condition must not leave a hole in the cache."""
    origin = t.origin({"/c": reply("body", cache="max-age=600", etag='"v1"')})
    larder = t.larder(origin)
    same(larder.fetch("/c", headers=[("If-None-Match", '"v1"')]).status, 304)
    response = larder.fetch("/c")
    same((response.status, response.body), (200, b"body"), "a 304 was stored as the response")


def test_client_condition_while_revalidating(t):
    state = {"v": 1}
    origin = t.origin({"/e": versioned(state)})
    larder = t.larder(origin)
    larder.fetch("/e")
    time.sleep(2.1)
    response = larder.fetch("/e", headers=[("If-None-Match", '"1"')])
    same((response.status, response.body), (304, b""))
    state["v"] = 2
    time.sleep(2.1)
    response = larder.fetch("/e", headers=[("If-None-Match", '"1"')])
    same(response.status, 200)
    same_body(response, content("2", 5000))
    time.sleep(2.1)
    response = larder.fetch("/e", headers=[("If-None-Match", '"other"')])
    same(response.status, 200, "the stored response is confirmed, the client's condition fails")
    same_body(response, content("2", 5000))
    same(origin.last("/e").get("If-None-Match"), '"2"', "our validator in place of the client's")


def test_304_for_something_else(t):
    """A 304 with another strong ETag updates nothing: ask again without a condition."""
    origin = t.origin({"/x": sequence(
        reply("one", cache="max-age=1", headers=[("ETag", '"1"')]),
        lambda conn, request: conn.send(head(304, [("ETag", '"2"'), ("Cache-Control", "max-age=600")])),
        reply("two", cache="max-age=600", headers=[("ETag", '"2"')]))})
    larder = t.larder(origin)
    larder.fetch("/x")
    time.sleep(2.1)
    response = larder.fetch("/x")
    same((response.status, response.body), (200, b"two"))
    same(origin.count("/x"), 3)
    same(origin.last("/x").get("If-None-Match"), None)


def test_stale_answered_with_an_error(t):
    """Nothing allows stale: the error is passed on, and the next request asks again."""
    origin = t.origin({"/x": sequence(reply("one", cache="max-age=1, must-revalidate", etag='"1"'), reply("bad", 500),
                                      reply("two", cache="max-age=600"))})
    larder = t.larder(origin)
    larder.fetch("/x")
    time.sleep(2.1)
    same(larder.fetch("/x").status, 500)
    same(larder.fetch("/x").body, b"two")


def test_conditions_for_the_origin(t):
    """If-Match and If-Unmodified-Since are the origin's to judge."""
    def behave(conn, request):
        if request.get("If-Match"):
            reply("no", 412)(conn, request)
        else:
            reply("yes", cache="max-age=600", etag='"1"')(conn, request)
    origin = t.origin({"/p": behave})
    larder = t.larder(origin)
    same(larder.fetch("/p").status, 200)
    same(larder.fetch("/p", "PUT", headers=[("If-Match", '"0"')], body=b"x").status, 412)
    same(origin.last("/p").get("If-Match"), '"0"')
    assert larder.fetch("/p").is_hit, "a refused PUT invalidated"


def test_range_request_is_right_or_whole(t):
    """Ranges may be answered from the store or ignored, never wrongly, and never stored as the whole."""
    body = content("/r", 10000)
    origin = t.origin({"/r": reply(body, cache="max-age=600", etag='"1"')})
    larder = t.larder(origin)
    for _ in range(2):
        response = larder.fetch("/r", headers=[("Range", "bytes=100-199")])
        if response.status == 206:
            same(response.get("Content-Range"), "bytes 100-199/10000")
            same(response.body, body[100:200])
        else:
            same(response.status, 200)
            same_body(response, body)
        same_body(larder.fetch("/r"), body)


def test_partial_content_is_not_the_whole(t):
    body = content("/r", 10000)

    def behave(conn, request):
        if request.get("Range"):
            conn.send(head(206, [("Cache-Control", "max-age=600"), ("Content-Range", "bytes 0-9/10000"),
                                 ("Content-Length", "10"), ("ETag", '"1"')]) + body[:10])
        else:
            reply(body, cache="max-age=600", headers=[("ETag", '"1"')])(conn, request)
    larder = t.larder(t.origin({"/r": behave}))
    first = larder.fetch("/r", headers=[("Range", "bytes=0-9")])
    assert (first.status, first.body) == (206, body[:10]) or first.body == body, first
    second = larder.fetch("/r")
    same(second.status, 200)
    same_body(second, body)
