"""Ranges from stored whole responses (RFC 9110 13.1.5, 14, 15.3.7, 15.5.17)."""
import re
import threading

from case import Client, content, head, http_date, reply, same, same_body, slow, wait_for

TYPE = "text/x-thing; a=b"


def stored(t, length, target="/r", headers=(), cache="max-age=600", etag='"v1"', **words):
    """A larder that has the whole of a response, what it is, and its origin."""
    body = content(target, length)
    origin = t.origin({target: reply(body, cache=cache, etag=etag, headers=[("Content-Type", TYPE), *headers])})
    larder = t.larder(origin, **words)
    same_body(larder.fetch(target), body)
    return larder, origin, body


def ranged(larder, value, target="/r", headers=(), **words):
    return larder.fetch(target, headers=[("Range", value), *headers], **words)


def is_part(response, body, first, last):
    """A single-part 206 with these bytes and nothing else."""
    same((response.status, response.reason), (206, "Partial Content"))
    same(response.get("Content-Range"), f"bytes {first}-{last}/{len(body)}")
    same(response.get("Content-Length"), str(last - first + 1))
    same(response.get("Content-Type"), TYPE)
    same_body(response, body[first:last + 1])


def parts_of(response, body):
    """[(first, last)] of a multipart 206, every byte of it checked."""
    same(response.status, 206)
    assert response.complete, response
    same(response.get("Content-Range"), None)
    same(response.all("Content-Type"), [response.get("Content-Type")])
    found = re.fullmatch(r"multipart/byteranges; boundary=([0-9a-zA-Z]{1,70})", response.get("Content-Type"))
    assert found, response.raw_head
    mark = found[1].encode()
    rest, parts, wanted = response.body, [], b""
    for first, last in re.findall(rb"\r\nContent-Range: bytes (\d+)-(\d+)/%d\r\n\r\n" % len(body), rest):
        first, last = int(first), int(last)
        wanted += b"%s--%s\r\nContent-Type: %s\r\nContent-Range: bytes %d-%d/%d\r\n\r\n%s" % (
            b"\r\n" if parts else b"", mark, TYPE.encode(), first, last, len(body), body[first:last + 1])
        parts.append((first, last))
    wanted += b"\r\n--%s--\r\n" % mark
    same_body(response, wanted)
    return parts


def test_one_range(t):
    larder, origin, body = stored(t, 10000)
    for value, first, last in (("bytes=0-0", 0, 0), ("bytes=100-199", 100, 199), ("bytes=9999-", 9999, 9999),
                               ("bytes=5000-", 5000, 9999), ("bytes=-1", 9999, 9999), ("bytes=-300", 9700, 9999),
                               ("bytes=0-", 0, 9999), ("bytes=-99999", 0, 9999), ("bytes=9000-99999", 9000, 9999),
                               ("BYTES=1-2", 1, 2), ("bytes=0-99999999999999999999999", 0, 9999)):
        response = ranged(larder, value)
        is_part(response, body, first, last)
        assert response.is_hit, (value, response)
        same(response.get("ETag"), '"v1"')
        assert response.age >= 0 and response.get("Date"), response.raw_head
    same(origin.count(), 1)


def test_what_is_ignored_gets_the_whole(t):
    larder, origin, body = stored(t, 1000)
    many = ",".join(f"{at}-{at}" for at in range(0, 34, 2))
    for value in ("bytes=5-4", "bytes=x-", "bytes=-", "bytes=", "bytes 0-1", "bytes=0-1,junk", "lines=0-1",
                  f"bytes={many}", "bytes=0-1,5-4"):
        response = ranged(larder, value)
        same(response.status, 200, value)
        same(response.get("Content-Range"), None, value)
        same_body(response, body)
        assert response.is_hit, (value, response)
    twice = ranged(larder, "bytes=0-1", headers=[("Range", "bytes=0-1")])
    same(twice.status, 200)
    same(origin.count(), 1)


def test_ignored_ranges_fill_the_cache_too(t):
    """A Range with an unknown unit is no Range: the first request is an ordinary miss."""
    body = content("/r", 1000)
    origin = t.origin({"/r": reply(body, cache="max-age=600")})
    larder = t.larder(origin)
    first = ranged(larder, "lines=1-2")
    same(first.status, 200)
    same_body(first, body)
    same(origin.last("/r").get("Range"), None)
    assert larder.fetch("/r").is_hit


def test_unsatisfiable(t):
    larder, origin, body = stored(t, 1000, headers=[("Access-Control-Allow-Origin", "*"), ("X-Own", "1"),
                                                    ("Content-Language", "en")])
    for value in ("bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=5000-,6000-", "bytes=99999999999999999999-"):
        response = ranged(larder, value)
        same((response.status, response.reason), (416, "Range Not Satisfiable"), value)
        same(response.get("Content-Range"), "bytes */1000")
        same((response.get("Content-Length"), response.body), ("0", b""))
        for name in ("Content-Type", "Content-Language", "ETag", "Cache-Control"):
            same(response.get(name), None, name)
        same(response.get("Access-Control-Allow-Origin"), "*")
    is_part(ranged(larder, "bytes=0-9"), body, 0, 9)
    same(origin.count(), 1)


def test_head_ignores_range(t):
    larder, origin, _ = stored(t, 1000)
    for value in ("bytes=0-9", "bytes=5000-", "bytes=0-1,5-6"):
        response = ranged(larder, value, method="HEAD")
        same(response.status, 200)
        same(response.get("Content-Length"), "1000")
        same(response.get("Content-Range"), None)
        assert response.is_hit, response
    same(origin.count(), 1)


def test_several_ranges(t):
    larder, origin, body = stored(t, 10000)
    same(parts_of(ranged(larder, "bytes=0-9,100-199,-5"), body), [(0, 9), (100, 199), (9995, 9999)])
    same(parts_of(ranged(larder, "bytes=500-599, 0-9"), body), [(500, 599), (0, 9)])
    same(parts_of(ranged(larder, "bytes=0-9,20000-,30-39"), body), [(0, 9), (30, 39)])
    same(parts_of(ranged(larder, "bytes=8000-8999,0-9,5-20,21-30"), body), [(8000, 8999), (0, 30)])
    sixteen = ",".join(f"{at}-{at + 3}" for at in range(0, 1600, 100))
    same(len(parts_of(ranged(larder, "bytes=" + sixteen), body)), 16)
    # one is left: no multipart (15.3.7.2)
    is_part(ranged(larder, "bytes=0-9,5-19"), body, 0, 19)
    is_part(ranged(larder, "bytes=0-9,99999-"), body, 0, 9)
    is_part(ranged(larder, "bytes=0-,0-,0-,-1"), body, 0, 9999)
    marks = {ranged(larder, "bytes=0-9,100-199").get("Content-Type") for _ in range(3)}
    same(len(marks), 3, "boundaries that can be foreseen")
    same(origin.count(), 1)


def test_several_ranges_without_type(t):
    body = content("/n", 500)
    larder = t.larder(t.origin({"/n": reply(body, cache="max-age=600")}))
    larder.fetch("/n")
    response = larder.fetch("/n", headers=[("Range", "bytes=0-9,100-109")])
    same(response.status, 206)
    assert b"Content-Type" not in response.body, response.body


def test_connection_goes_on_after_several_ranges(t):
    larder, _, body = stored(t, 300000)
    with larder.client() as client:
        for _ in range(3):
            client.request("/r", headers=[("Range", "bytes=0-99999,200000-299999")])
            same(parts_of(client.read_response(), body), [(0, 99999), (200000, 299999)])
            client.request("/r", headers=[("Range", "bytes=7-8")])
            is_part(client.read_response(), body, 7, 8)
        client.request("/r")
        same_body(client.read_response(), body)


def test_several_ranges_to_an_old_client(t):
    """HTTP/1.0: the length is computed, nothing is chunked."""
    larder, _, body = stored(t, 10000)
    response = ranged(larder, "bytes=0-9,100-199", version="HTTP/1.0")
    same(response.framing, "length")
    same(parts_of(response, body), [(0, 9), (100, 199)])


@slow(120)
def test_slow_reader_of_several_ranges(t):
    """Texts and stretches are each cut wherever the socket is full."""
    larder, _, body = stored(t, 8_000_000)
    client = Client(larder.port, receive_buffer=4096)
    with client:
        client.request("/r", headers=[("Range", "bytes=0-2999999,3000001-3000001,4000000-7999999")])
        response = client.read_head()
        pieces = []
        left = int(response.get("Content-Length"))
        while left > 0:
            piece = client.read_some(min(left, 70001))
            assert piece, "cut"
            pieces.append(piece)
            left -= len(piece)
        response.body, response.complete = b"".join(pieces), True
        same(parts_of(response, body), [(0, 2999999), (3000001, 3000001), (4000000, 7999999)])


def test_if_range(t):
    modified, date = http_date(-7200), http_date()
    larder, origin, body = stored(t, 1000, headers=[("Last-Modified", modified), ("Date", date)])
    for value, status in (('"v1"', 206), ('"v2"', 200), ('W/"v1"', 200), ("v1", 200), (modified, 206), (date, 200),
                          ('"v1", "v2"', 200), ("*", 200), ("", 200)):
        response = ranged(larder, "bytes=10-19", headers=[("If-Range", value)])
        same(response.status, status, value)
        same_body(response, body[10:20] if status == 206 else body)
        assert response.is_hit, response
    same(ranged(larder, "bytes=5000-", headers=[("If-Range", '"v2"')]).status, 200)
    same(ranged(larder, "bytes=5000-", headers=[("If-Range", '"v1"')]).status, 416)
    same(larder.fetch("/r", headers=[("If-Range", '"v2"')]).status, 200)
    same(origin.count(), 1)


def test_if_range_with_a_weak_validator(t):
    """A weak ETag never holds, nor does a date too close to Date (8.8.2.2)."""
    date = http_date()
    larder, _, body = stored(t, 1000, etag='W/"w"', headers=[("Last-Modified", date), ("Date", date)])
    for value in ('W/"w"', '"w"', date):
        same_body(ranged(larder, "bytes=0-9", headers=[("If-Range", value)]), body)
    is_part(ranged(larder, "bytes=0-9"), body, 0, 9)


def test_condition_goes_before_range(t):
    larder, _, body = stored(t, 1000)
    same(ranged(larder, "bytes=0-9", headers=[("If-None-Match", '"v1"')]).status, 304)
    is_part(ranged(larder, "bytes=0-9", headers=[("If-None-Match", '"v0"')]), body, 0, 9)


def test_range_applies_to_200_only(t):
    origin = t.origin({"/gone": reply(b"it is gone", 404, cache="max-age=600"),
                       "/moved": reply(b"elsewhere", 301, cache="max-age=600", headers=[("Location", "/x")])})
    larder = t.larder(origin)
    for target, status, text in (("/gone", 404, b"it is gone"), ("/moved", 301, b"elsewhere")):
        larder.fetch(target)
        for value in ("bytes=0-1", "bytes=500-"):
            response = ranged(larder, value, target)
            same((response.status, response.body), (status, text))
            assert response.is_hit, response


def test_chunked_response_has_ranges_once_stored(t):
    body = content("/c", 5000)
    larder = t.larder(t.origin({"/c": reply(body, cache="max-age=600", chunked=True,
                                            headers=[("Content-Type", TYPE)])}))
    same_body(larder.fetch("/c"), body)
    is_part(ranged(larder, "bytes=10-19", "/c"), body, 10, 19)
    same(parts_of(ranged(larder, "bytes=10-19,4000-", "/c"), body), [(10, 19), (4000, 4999)])


@slow(120)
def test_ranges_from_disk(t):
    """Of an object too large for the RAM tier, and of one read after a restart."""
    larder, origin, body = stored(t, 24_000_000, memory="32M", size="512M")
    small = content("/s", 30000)
    origin.routes["/s"] = reply(small, cache="max-age=600", headers=[("Content-Type", TYPE)])
    same_body(larder.fetch("/s"), small)
    for load in range(2):
        is_part(ranged(larder, "bytes=20000000-20000099"), body, 20000000, 20000099)
        is_part(ranged(larder, "bytes=-5"), body, 23999995, 23999999)
        is_part(ranged(larder, "bytes=262100-524400"), body, 262100, 524400)
        same(parts_of(ranged(larder, "bytes=23000000-,0-9,10000000-12000000"), body),
             [(23000000, 23999999), (0, 9), (10000000, 12000000)])
        is_part(ranged(larder, "bytes=29000-", "/s"), small, 29000, 29999)
        same(parts_of(ranged(larder, "bytes=7-7,9-9", "/s"), small), [(7, 7), (9, 9)])
        same(ranged(larder, "bytes=24000000-").status, 416)
        if load == 0:
            wait_for(lambda: larder.metrics()["larder_store_queued_write_bytes"] == 0, what="the queue")
            larder.restart()
    same(origin.count(), 2)


def test_ranges_while_it_is_filled(t):
    """Known length, the bytes are there: no waiting for the rest."""
    body = content("/f", 3_000_000)
    go_on = threading.Event()

    def behave(conn, _request):
        conn.send(head(200, [("Cache-Control", "max-age=600"), ("ETag", '"f"'), ("Content-Type", TYPE),
                             ("Content-Length", str(len(body)))]))
        conn.send(body[:1_000_000])
        go_on.wait(30)
        conn.send(body[1_000_000:])
    origin = t.origin({"/f": behave})
    larder = t.larder(origin)
    with larder.client() as leader:
        leader.request("/f")
        response = leader.read_head()
        start = leader.read_some(900_000)
        same(start, body[:900_000])
        is_part(ranged(larder, "bytes=1000-1999", "/f"), body, 1000, 1999)
        is_part(ranged(larder, "bytes=0-0", "/f"), body, 0, 0)
        same(parts_of(ranged(larder, "bytes=700000-700009,5-6", "/f"), body), [(700000, 700009), (5, 6)])
        same(origin.count(), 1)
        go_on.set()
        leader.buffer = start + leader.buffer
        same_body(leader.read_body(response), body)
    is_part(ranged(larder, "bytes=-7", "/f"), body, 2999993, 2999999)
    same(origin.count(), 1)
