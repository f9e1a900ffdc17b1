"""Compressed variants of stored responses (RFC 9110 8.4, 8.8.3, 12.5.3, 14.2; RFC 9111 5.2.2.6): made once, in the
background, for those who accept them; what the origin encoded or marked no-transform is left alone."""
import ctypes
import random
import re
import threading
import zlib

from case import content, http_date, reply, same, same_body, sequence, slow, wait_for

ON = "compress gzip brotli;"
GZIP, BR = ("Accept-Encoding", "gzip"), ("Accept-Encoding", "br")
TEXT = ("Content-Type", "text/html; charset=utf-8")


def text(size, seed=1):
    """Words: they compress, and no two bodies are alike."""
    maker = random.Random(seed)
    words = [str(maker.randrange(100000)) for _ in range(600)]
    return " ".join(maker.choice(words) for _ in range(size // 4)).encode()[:size]


def unbrotli(data):
    """With the library itself: not every Python has a module for it."""
    library = ctypes.CDLL("libbrotlidec.so.1")
    size = ctypes.c_size_t(4 << 20)
    room = ctypes.create_string_buffer(size.value)
    assert library.BrotliDecoderDecompress(ctypes.c_size_t(len(data)), data, ctypes.byref(size), room) == 1, "no brotli"
    return ctypes.string_at(room, size.value)


def decoded(response):
    coding = response.get("Content-Encoding")
    if coding == "gzip":
        engine = zlib.decompressobj(31)
        data = engine.decompress(response.body)
        assert engine.eof and not engine.unused_data, "the gzip stream is not whole"
        return data
    return unbrotli(response.body) if coding == "br" else response.body


def varies(response):
    names = [name.strip().lower() for name in (response.get("Vary") or "").split(",")]
    same(names.count("accept-encoding"), 1, f"Vary: {response.get('Vary')!r}")
    return True


def plain(response):
    return response.get("Content-Encoding") is None


def made(larder):
    values = larder.metrics()
    return int(sum(values[f'larder_compressed_total{{coding="{name}"}}'] for name in ("gzip", "br")))


def skipped(larder, reason):
    return int(larder.metrics()[f'larder_compress_skipped_total{{reason="{reason}"}}'])


def encoded(larder, path, accept, coding, **words):
    """Asks until the variant is there."""
    def ask():
        response = larder.fetch(path, headers=[accept, *words.get("headers", ())], **{k: v for k, v in words.items()
                                                                                         if k != "headers"})
        return response if response.get("Content-Encoding") == coding else None
    return wait_for(ask, 30, f"{coding} of {path}", 0.02)


def test_variants(t):
    """Both codings give the identity's bytes; each is made once; the head is that of another representation."""
    body = text(60000)
    origin = t.origin({"/a": reply(body, cache="max-age=600", headers=[
        TEXT, ("ETag", '"v1"'), ("Vary", "X-Colour"), ("Last-Modified", http_date(-9000)), ("Accept-Ranges", "bytes"),
        ("Content-MD5", "bm90IHlvdXJz"), ("Content-Digest", "sha-256=:AAAA:"), ("X-Keep", "this")])})
    larder = t.larder(origin, site=ON)
    first = larder.fetch("/a", headers=[("Accept-Encoding", "gzip, br")])
    assert plain(first) and varies(first), first.raw_head
    same_body(first, body)
    for accept, coding in ((GZIP, "gzip"), (BR, "br")):
        response = encoded(larder, "/a", accept, coding)
        same(decoded(response), body, coding)
        assert response.is_hit and varies(response) and response.age >= 0, response.raw_head
        same(response.get("Content-Length"), str(len(response.body)))
        assert len(response.body) < len(body) // 2
        assert re.fullmatch(rf'"v1~{coding}-[0-9a-f]{{8}}"', response.get("ETag")), response.get("ETag")
        same(response.get("Vary"), "Accept-Encoding, X-Colour")
        same((response.get("Content-MD5"), response.get("Content-Digest")), (None, None))
        same((response.get("X-Keep"), response.get("Content-Type"), response.get("Last-Modified")),
             ("this", TEXT[1], first.get("Last-Modified")))
        same(response.get("Accept-Ranges"), "bytes", "a strong tag holds parts together")
        again = larder.fetch("/a", headers=[accept])
        same((again.body, again.get("ETag")), (response.body, response.get("ETag")))
        head = larder.fetch("/a", "HEAD", headers=[accept])
        for name in ("ETag", "Content-Length", "Content-Encoding", "Vary"):
            same(head.get(name), response.get(name), f"HEAD {name}")
    identity = larder.fetch("/a")
    assert plain(identity) and varies(identity), identity.raw_head
    same((identity.get("ETag"), identity.get("Content-MD5")), ('"v1"', "bm90IHlvdXJz"))
    same_body(identity, body)
    same((made(larder), origin.count("/a")), (2, 1))


NEGOTIATION = [  # Accept-Encoding, the coding sent
    ("gzip, br", "br"), ("br;q=0.5, gzip", "gzip"), ("gzip;q=0.9, br;q=0.9", "br"), ("*", "br"), ("*;q=0.1, br;q=0", "gzip"),
    ("x-gzip", "gzip"), ("GZIP", "gzip"), ("gzip ; q=1.000", "gzip"), ("identity;q=0, gzip", "gzip"), ("deflate", None),
    ("identity", None), ("", None), (None, None), ("gzip;q=0", None), ("gzip;q=0.000, br;q=0", None), ("gzip;q=2", None),
    ("*;q=0", None), ("identity, gzip;q=0.5", None), ("gzip;q=x", None), ("gzipx, xbr", None),
]


def test_negotiation(t):
    body = text(5000)
    origin = t.origin({"/n": reply(body, cache="max-age=600", headers=[TEXT])})
    larder = t.larder(origin, site=ON)
    larder.fetch("/n")
    encoded(larder, "/n", GZIP, "gzip")
    encoded(larder, "/n", BR, "br")
    for accept, coding in NEGOTIATION:
        response = larder.fetch("/n", headers=[] if accept is None else [("Accept-Encoding", accept)])
        same(response.get("Content-Encoding"), coding, f"Accept-Encoding: {accept}")
        same(decoded(response), body, accept)
        assert varies(response)
    with larder.client() as client:
        client.request("/n", headers=[("Accept-Encoding", "deflate"), ("Accept-Encoding", "br;q=0.2")])
        same(client.read_response().get("Content-Encoding"), "br", "two lines are one list")
    same((made(larder), origin.count("/n")), (2, 1))


def test_only_what_is_on(t):
    body = text(5000)
    origin = t.origin({"/n": reply(body, cache="max-age=600", headers=[TEXT])})
    larder = t.larder(origin, site="compress brotli;")
    encoded(larder, "/n", ("Accept-Encoding", "gzip, br"), "br")
    for _ in range(5):
        assert plain(larder.fetch("/n", headers=[GZIP]))
    same(made(larder), 1)


def test_left_alone(t):
    """What must not, need not, or cannot be compressed: served as it came, and nothing is tried on each hit."""
    body = text(5000)
    cases = {
        "/no-transform": ([TEXT, ("Cache-Control", "no-transform")], body),
        "/no-transform-targeted": ([TEXT, ("CDN-Cache-Control", "max-age=60, no-transform")], body),
        "/encoded": ([TEXT, ("Content-Encoding", "gzip")], zlib.compress(body)),
        "/encoded-unknown": ([TEXT, ("Content-Encoding", "pack")], body),
        "/image": ([("Content-Type", "image/png")], body),
        "/untyped": ([], body),
        "/multipart": ([("Content-Type", "multipart/mixed; boundary=x")], body),
        "/small": ([TEXT], text(1023)),
        "/large": ([TEXT], text(20001)),
        "/404": ([TEXT], body),
    }
    routes = {path: reply(data, 404 if path == "/404" else 200, cache="max-age=600", headers=headers)
              for path, (headers, data) in cases.items()}
    larder = t.larder(t.origin(routes), site=f"{ON} compress_max 20000; compress_types text/* multipart/*;")
    for path, (headers, data) in cases.items():
        for _ in range(3):
            response = larder.fetch(path, headers=[("Accept-Encoding", "gzip, br")])
            same_body(response, data)
            same(response.get("Content-Encoding"), dict(headers).get("Content-Encoding"), path)
            assert response.get("Vary") is None, (path, response.raw_head)
    same(made(larder), 0)


def test_no_gain_is_remembered(t):
    noise = random.Random(3).randbytes(30000)
    larder = t.larder(t.origin({"/x": reply(noise, cache="max-age=600", headers=[TEXT])}), site=ON)
    for _ in range(3):
        same_body(larder.fetch("/x", headers=[GZIP]), noise)
    wait_for(lambda: skipped(larder, "no_gain") == 1, 10, "the mark")
    for _ in range(10):
        response = larder.fetch("/x", headers=[GZIP])
        assert plain(response) and varies(response), response.raw_head
        same_body(response, noise)
    same((skipped(larder, "no_gain"), made(larder)), (1, 0))
    larder.restart()
    for _ in range(5):
        same_body(larder.fetch("/x", headers=[GZIP]), noise)
    same(skipped(larder, "no_gain"), 0, "the mark is on disk")


def test_request_no_transform(t):
    """RFC 9111 5.2.1.6, also where clients may not force validation."""
    larder = t.larder(t.origin({"/a": reply(text(5000), cache="max-age=600", headers=[TEXT])}), site=ON,
                      cache="client_revalidate off;")
    encoded(larder, "/a", GZIP, "gzip")
    assert plain(larder.fetch("/a", headers=[GZIP, ("Cache-Control", "no-transform")]))


def test_conditions(t):
    """Each variant answers for its own tag; a client that has the plain bytes hears of those."""
    body = text(20000)
    origin = t.origin({"/c": reply(body, cache="max-age=600", etag='"c1"', headers=[TEXT]),
                       "/weak": reply(body, cache="max-age=600", headers=[TEXT, ("ETag", 'W/"w"')])})
    larder = t.larder(origin, site=ON)
    tags = {coding: encoded(larder, "/c", accept, coding).get("ETag") for accept, coding in ((GZIP, "gzip"), (BR, "br"))}
    both = ("Accept-Encoding", "gzip, br")
    for tag in (tags["gzip"], tags["br"], '"c1"', "*", f'W/{tags["br"]}', f'"other", {tags["br"]}', f'{tags["gzip"]}, "other"',
                f'W/{tags["gzip"]}'):
        answer = larder.fetch("/c", headers=[both, ("If-None-Match", tag)])
        same(answer.status, 304, tag)
        assert varies(answer) and plain(answer), answer.raw_head
        if tag.startswith('"') and "," not in tag:
            same(answer.get("ETag"), tag, "304 names what the client has")
    for tag in ('"c1~gzip-00000000"', '"c2"', tags["gzip"] + "x"):
        same(larder.fetch("/c", headers=[both, ("If-None-Match", tag)]).status, 200, tag)
    same(larder.fetch("/c", headers=[("If-None-Match", tags["br"])]).status, 200, "br is not accepted any more")
    weak = encoded(larder, "/weak", GZIP, "gzip")
    same((weak.get("ETag"), weak.get("Accept-Ranges")), ('W/"w"', None))
    same(larder.fetch("/weak", headers=[GZIP, ("If-None-Match", 'W/"w"')]).status, 304)
    same((origin.count("/c"), origin.count("/weak")), (1, 1))


def test_ranges(t):
    """RFC 9110 14.2: a part is one of the bytes the client has begun with."""
    body = text(50000)
    modified = http_date(-90000)
    origin = t.origin({"/r": reply(body, cache="max-age=600", headers=[TEXT, ("ETag", '"r"'), ("Last-Modified", modified)])})
    larder = t.larder(origin, site=ON)
    whole = encoded(larder, "/r", GZIP, "gzip")

    def part(*headers):
        return larder.fetch("/r", headers=[GZIP, ("Range", "bytes=1000-"), *headers])
    answer = part()
    same((answer.status, answer.body == body[1000:], answer.get("ETag")), (206, True, '"r"'), "nothing said: plain bytes")
    assert plain(answer) and varies(answer), answer.raw_head
    answer = part(("If-Range", whole.get("ETag")))
    same((answer.status, answer.get("ETag"), answer.get("Content-Encoding")), (206, whole.get("ETag"), "gzip"))
    same(answer.get("Content-Range"), f"bytes 1000-{len(whole.body) - 1}/{len(whole.body)}")
    same(answer.body, whole.body[1000:])
    answer = part(("If-Range", '"r"'))
    same((answer.status, answer.body == body[1000:]), (206, True))
    assert plain(answer)
    for condition in ('"r~gzip-00000000"', '"r~br-00000000"', 'W/"r"', modified):
        answer = part(("If-Range", condition))
        same((answer.status, decoded(answer) == body), (200, True), condition)


def test_revalidation_keeps_variants(t):
    """A 304 renews the base; the variant gets its fields and is not made again. A new 200 has new variants."""
    one, two = text(30000, 1), text(30000, 2)
    state = {"body": one, "etag": '"1"', "mark": "a"}

    def behave(conn, request):
        fields = [TEXT, ("X-Mark", state["mark"]), ("ETag", state["etag"])]
        reply(state["body"], 304 if request.get("If-None-Match") == state["etag"] else 200, "max-age=600", fields)(conn, request)
    origin = t.origin({"/v": behave})
    larder = t.larder(origin, site=ON)
    first = encoded(larder, "/v", GZIP, "gzip")
    state["mark"] = "b"
    larder.purge(larder.url("/v"), "soft")
    renewed = larder.fetch("/v", headers=[GZIP])
    same((renewed.get("Content-Encoding"), renewed.body == first.body, renewed.get("X-Mark")), ("gzip", True, "b"))
    same(origin.last("/v").get("If-None-Match"), '"1"', "only the stored response is validated")
    same(larder.fetch("/v", headers=[GZIP]).get("X-Mark"), "b")
    same((renewed.get("ETag"), made(larder), origin.count("/v")), (first.get("ETag"), 1, 2))
    larder.purge(larder.url("/v"), "soft")
    answer = larder.fetch("/v", headers=[GZIP, ("If-None-Match", first.get("ETag"))])
    same((answer.status, answer.get("ETag"), origin.count("/v")), (304, first.get("ETag"), 3))
    state.update(body=two, etag='"2"')
    larder.purge(larder.url("/v"), "soft")
    same_body(larder.fetch("/v", headers=[GZIP]), two)
    same(decoded(encoded(larder, "/v", GZIP, "gzip")), two)
    same(made(larder), 2)


def test_purge(t):
    bodies = [text(30000, seed) for seed in range(3)]
    origin = t.origin({"/p": sequence(*[reply(body, cache="max-age=600", headers=[TEXT]) for body in bodies])})
    larder = t.larder(origin, site=ON)
    same(decoded(encoded(larder, "/p", BR, "br")), bodies[0])
    larder.purge(larder.url("/p"))
    same_body(larder.fetch("/p", headers=[BR]), bodies[1])
    same(decoded(encoded(larder, "/p", BR, "br")), bodies[1])
    same(made(larder), 2)


@slow(120)
def test_purge_while_compressing(t):
    """A job under way ends in a variant that nobody can reach."""
    bodies = [text(500000, seed) for seed in range(4)]
    origin = t.origin({"/p": sequence(*[reply(body, cache="max-age=600", headers=[TEXT]) for body in bodies])})
    larder = t.larder(origin, site="compress brotli; compress_level brotli=10;")
    under_way = 0
    for number in range(3):
        larder.fetch("/p", headers=[BR])
        under_way += plain(larder.fetch("/p", headers=[BR]))  # the job has begun, and takes a second or more
        larder.purge(larder.url("/p"))
        same_body(larder.fetch("/p", headers=[BR]), bodies[number + 1])
    same(decoded(encoded(larder, "/p", BR, "br")), bodies[3])
    assert under_way > 0, "no purge met a job"


def test_restart(t):
    body = text(40000)
    origin = t.origin({"/d": reply(body, cache="max-age=600", etag='"d"', headers=[TEXT])})
    larder = t.larder(origin, site=ON)
    before = encoded(larder, "/d", BR, "br")
    larder.restart()
    after = larder.fetch("/d", headers=[BR])
    same((after.get("Content-Encoding"), after.body == before.body, after.get("ETag")), ("br", True, before.get("ETag")))
    assert after.is_hit
    same((made(larder), origin.count("/d")), (0, 1))


@slow(90)
def test_stop_while_compressing(t):
    larder = t.larder(t.origin({f"/{n}": reply(text(1000000, n), cache="max-age=600", headers=[TEXT]) for n in range(6)}),
                      site="compress brotli; compress_level brotli=11;")
    for n in range(6):
        larder.fetch(f"/{n}", headers=[BR])
        larder.fetch(f"/{n}", headers=[BR])
    larder.stop(20)


def test_reload(t):
    body = text(20000)
    origin = t.origin({"/o": reply(body, cache="max-age=600", headers=[TEXT])})
    larder = t.larder(origin)
    for _ in range(3):
        response = larder.fetch("/o", headers=[GZIP])
        assert plain(response) and response.get("Vary") is None, response.raw_head
    larder.write_config(site=ON)
    larder.command("reload", check=0)
    same(decoded(encoded(larder, "/o", GZIP, "gzip")), body)  # what was stored before
    larder.write_config(site="compress off;")
    larder.command("reload", check=0)
    response = larder.fetch("/o", headers=[GZIP])
    assert plain(response) and response.get("Vary") is None, response.raw_head
    larder.write_config(site=ON)
    larder.command("reload", check=0)
    same(larder.fetch("/o", headers=[GZIP]).get("Content-Encoding"), "gzip")
    same((made(larder), origin.count("/o")), (1, 1))


def test_chunked_and_large(t):
    """Bodies of one piece of the store and of many, of known and unknown length."""
    origin = t.origin()
    larder = t.larder(origin, site=ON)
    for size in (1024, 262143, 262144, 262145, 3000000):
        for chunked in (False, True):
            path, body = f"/{size}-{chunked}", text(size, size)
            origin.routes[path] = reply(body, cache="max-age=600", headers=[TEXT], chunked=chunked)
            first = larder.fetch(path, headers=[GZIP])
            assert plain(first) and varies(first), first.raw_head
            for accept, coding in ((GZIP, "gzip"), (BR, "br")):
                response = encoded(larder, path, accept, coding)
                same(len(response.all("Content-Length")), 1)
                assert decoded(response) == body, (path, coding)


def test_origin_that_varies(t):
    """The origin's own encodings are its variants; it is asked in one normal form."""
    body = text(20000)

    def behave(conn, request):
        accept = request.get("Accept-Encoding") or ""
        coded = "gzip" in accept
        reply(zlib.compress(body, wbits=31) if coded else body, cache="max-age=600",
              headers=[TEXT, ("Vary", "Accept-Encoding")] + ([("Content-Encoding", "gzip")] if coded else []))(conn, request)
    origin = t.origin({"/o": behave})
    larder = t.larder(origin, site=ON)
    for accept, asked in (("gzip;q=0.5, br, sdch", "br, gzip"), ("zstd, x-gzip", "gzip, zstd"), ("identity", "identity"),
                          ("deflate", "identity"), ("gzip;q=0, br", "br"), (None, None)):
        larder.purge(larder.url("/o"))
        response = larder.fetch("/o", headers=[] if accept is None else [("Accept-Encoding", accept)])
        same(origin.last("/o").get("Accept-Encoding"), asked, accept)
        same(decoded(response), body, accept)
        varies(response)
    larder.purge(larder.url("/o"))
    for _ in range(4):
        response = larder.fetch("/o", headers=[("Accept-Encoding", "gzip, br")])
        same((response.get("Content-Encoding"), response.get("Vary")), ("gzip", "Accept-Encoding"))
        same(decoded(response), body)
    same(made(larder), 0)
    response = encoded(larder, "/o", BR, "br")  # a plain answer for those who take only br
    same((response.get("Vary"), decoded(response) == body), ("Accept-Encoding", True))


def test_tags_towards_the_origin(t):
    """If-Match of an editor that read a variant: the origin knows the tag without our suffix."""
    origin = t.origin({"/e": reply(text(5000), cache="max-age=600", etag='"e1"', headers=[TEXT])})
    larder = t.larder(origin, site=ON)
    tag = encoded(larder, "/e", GZIP, "gzip").get("ETag")
    larder.fetch("/e", "PUT", headers=[("If-Match", f'"x", {tag}')], body=b"new")
    same(origin.last("/e").get("If-Match"), '"x", "e1"')
    larder.fetch("/e", "PUT", headers=[("If-Match", '"apache-gzip"')], body=b"new")
    same(origin.last("/e").get("If-Match"), '"apache-gzip"')


def test_rules(t):
    """A rule says for which requests or responses it is on."""
    body = text(5000)
    paths = ("/on", "/off", "/late.js", "/late.css")
    kinds = {"/late.js": "text/javascript", "/late.css": "text/css"}
    origin = t.origin({path: reply(body, cache="max-age=600", headers=[("Content-Type", kinds.get(path, "text/html"))])
                       for path in paths})
    larder = t.larder(origin, site="""compress gzip;
        rule path /off { compress off; } rule type text/css { compress off; } rule path /off* type text/html { ttl 1h; }
        rule path /on { compress brotli; }""")
    for path in paths:
        larder.fetch(path)
    encoded(larder, "/on", BR, "br")
    encoded(larder, "/late.js", GZIP, "gzip")
    for path, accept in (("/on", GZIP), ("/late.js", BR), ("/off", GZIP), ("/late.css", GZIP)):
        for _ in range(3):
            response = larder.fetch(path, headers=[accept])
            assert plain(response), (path, response.raw_head)
            same(response.get("Vary") is not None, path in ("/on", "/late.js"), path)
    same(made(larder), 2)


@slow(120)
def test_many_clients(t):
    """Each variant is made once however many ask together, and every answer is right."""
    bodies = {f"/m{n}": text(100000 + n, n) for n in range(8)}
    origin = t.origin({path: reply(body, cache="max-age=600", headers=[TEXT]) for path, body in bodies.items()})
    larder = t.larder(origin, site=ON, workers=3)
    wrong, seen = [], set()

    def client(number):
        maker = random.Random(number)
        with larder.client() as connection:
            for _ in range(60):
                path = maker.choice(list(bodies))
                connection.request(path, headers=[maker.choice((GZIP, BR, ("Accept-Encoding", "identity")))])
                response = connection.read_response()
                seen.add(response.get("Content-Encoding"))
                if decoded(response) != bodies[path]:
                    wrong.append((path, response))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    for path in bodies:
        encoded(larder, path, GZIP, "gzip")
        encoded(larder, path, BR, "br")
    same(made(larder), 2 * len(bodies))
    same(sum(origin.count(path) for path in bodies), len(bodies))


def test_full_queue_drops(t):
    """More work than the press takes: dropped, counted, and done later."""
    bodies = {f"/q{n}": text(150000, n) for n in range(90)}
    larder = t.larder(t.origin({path: reply(body, cache="max-age=600", headers=[TEXT]) for path, body in bodies.items()}),
                      site="compress brotli; compress_level brotli=9;", memory="128M")
    for path in bodies:
        larder.fetch(path)
    for path, body in bodies.items():
        same(decoded(larder.fetch(path, headers=[BR])), body)
    wait_for(lambda: skipped(larder, "queue_full") > 0 or made(larder) > 20, 20, "work")
    for path, body in bodies.items():
        same(decoded(encoded(larder, path, BR, "br")), body)
    same(made(larder), len(bodies))


def test_small_memory(t):
    """With memory short, bodies are read from disk for the press, and variants and marks come back from there."""
    bodies = {f"/s{n}": text(400000, n) for n in range(60)}
    bodies["/large"] = text(3500000, 99)
    larder = t.larder(t.origin({path: reply(body, cache="max-age=600", headers=[TEXT]) for path, body in bodies.items()}),
                      site="compress gzip;", memory="16M")
    for path in bodies:
        larder.fetch(path)
    for path, body in bodies.items():
        assert decoded(encoded(larder, path, GZIP, "gzip")) == body, path
    for path, body in bodies.items():
        assert decoded(larder.fetch(path, headers=[GZIP])) == body, path
    lost = int(larder.metrics()["larder_store_not_written_total"])  # a slow disk has it dropped, and says so
    assert len(bodies) <= made(larder) <= len(bodies) + lost, f"{made(larder)} of {len(bodies)}: some were made twice"
    larder.restart()
    for path, body in bodies.items():
        response = larder.fetch(path, headers=[GZIP])
        assert decoded(response) == body, path
        lost -= plain(response)
    assert lost >= 0, "variants that were written did not come back from the disk"


@slow(90)
def test_stop_while_reading(t):
    """A stop while bodies come from disk for the press, and while the press works on them."""
    bodies = {f"/r{n}": text(3000000, n) for n in range(4)}
    larder = t.larder(t.origin({path: reply(body, cache="max-age=600", headers=[TEXT]) for path, body in bodies.items()}),
                      site="compress gzip;", memory="16M", workers=4)
    for path in bodies:
        larder.fetch(path)
    for _ in range(3):
        larder.restart()
        clients = [larder.client() for _ in bodies]
        for client, path in zip(clients, bodies):
            client.request(path, headers=[GZIP])
        for client in clients:
            assert client.read_head().status == 200
            client.close()
    larder.stop(20)


def test_fields_left_out(t):
    """no-cache="..." may take fields from a hit that an encoded body cannot be without."""
    body = text(5000)
    origin = t.origin({"/f": reply(body, cache='max-age=600, no-cache="content-encoding, x"', headers=[TEXT])})
    larder = t.larder(origin, site=ON)
    for _ in range(5):
        response = larder.fetch("/f", headers=[GZIP])
        assert plain(response), response.raw_head
        same_body(response, body)
    same(made(larder), 0)
