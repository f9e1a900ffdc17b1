"""HTTP/2 to origins: many requests over one connection, judged as strictly as HTTP/1, and what breaks off."""
import struct
import threading
import time

import h2origin
from case import content, reply, same, same_body, wait_for
from h2origin import H2Origin, answer
from tls import Authority, TlsOrigin, log_lines, nginx, site


def setup(t, routes=None, default=None, more="", max_streams=100, **words):
    ca = Authority(t)
    origin = H2Origin(t, ca.issue("IP:127.0.0.1"), routes, default, max_streams)
    larder = t.larder(origin.port, sites=site(origin.port, f"ca={ca.path}", more), **words)
    return origin, larder


def at_once(larder, targets, **words):
    """Fetches all of them at the same time. Returns the answers in order."""
    answers = [None] * len(targets)

    def one(index):
        answers[index] = larder.fetch(targets[index], **words)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(targets))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def held_until(count):
    """Each is answered when so many are under way at once."""
    def behave(stream):
        wait_for(lambda: stream.conn.origin.most >= count, 30, f"{count} requests at once")
        answer(stream.path.encode())(stream)
    return behave


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def test_head_and_body(t):
    """What the origin is asked and what the client gets: the same as over HTTP/1."""
    origin, larder = setup(t, {"/a?b=c": answer(b"hello", headers=[("etag", '"x"'), ("x-thing", "one"), ("x-thing", "two"),
                                                                   ("cache-control", "max-age=60")])})
    got = larder.fetch("/a?b=c", headers=[("X-Asked", "Yes"), ("Connection", "x-drop"), ("X-Drop", "1"), ("TE", "trailers")])
    same((got.status, got.body, got.all("x-thing"), got.get("etag")), (200, b"hello", ["one", "two"], '"x"'))
    fields = origin.streams[0].headers
    same([f for f in fields if f[0].startswith(":")], [(":method", "GET"), (":scheme", "https"),
                                                       (":authority", "site.test"), (":path", "/a?b=c")])
    assert ("x-asked", "Yes") in fields, fields
    assert not {"connection", "x-drop", "host", "transfer-encoding", "keep-alive", "upgrade"} & {f[0] for f in fields}, fields
    assert larder.fetch("/a?b=c").is_hit
    same(len(origin.conns), 1)
    same(larder.fetch("/a?b=c", method="HEAD").status, 200)


def test_many_over_one_connection(t):
    """60 misses at once: one connection, all of them under way at the same time; the first ones wait for it."""
    origin, larder = setup(t, default=held_until(60), workers=1)
    targets = [f"/{i}" for i in range(60)]
    for target, got in zip(targets, at_once(larder, targets)):
        same((got.status, got.body), (200, target.encode()))
    same(len(origin.conns), 1)
    same(origin.most, 60)


def test_the_origins_limit_of_streams(t):
    """More than it takes at once goes over further connections."""
    origin, larder = setup(t, {"/first": answer(b"x")}, default=held_until(40), workers=1, max_streams=10)
    larder.fetch("/first")
    targets = [f"/{i}" for i in range(40)]
    for target, got in zip(targets, at_once(larder, targets)):
        same((got.status, got.body), (200, target.encode()))
    assert 4 <= len(origin.conns) <= 6, len(origin.conns)
    same(origin.most, 40)
    for conn in origin.conns:
        assert not conn.h2.open_inbound_streams


def test_bodies_both_ways(t):
    """Large bodies with and without a length, slow clients beside quick ones, uploads with back-pressure."""
    big = content("/big", 6_000_000)
    origin, larder = setup(t, {"/big": answer(big), "/open": answer(big, length=False),
                               "/echo": lambda s: (s.ended.wait(60), answer(lambda _: s.body)(s))},
                           default=answer(b"small"), workers=1, limits="request_body 100M;")
    slow = larder.client(receive_buffer=4096, timeout=60)
    slow.request("/big")
    response = slow.read_head()
    time.sleep(1)
    for number in range(20):  # nobody waits for the slow one
        same(larder.fetch(f"/{number}").body, b"small")
    same_body(larder.fetch("/open"), big)
    slow.read_body(response)
    same_body(response, big)
    slow.close()
    same_body(larder.fetch("/echo", method="POST", body=big[:3_000_000]), big[:3_000_000])
    same(len(origin.conns), 1)
    same(origin.errors, [])


def test_early_answer_to_an_upload(t):
    """A refusal ends the sending; the connection lives on."""
    origin, larder = setup(t, {"/no": lambda s: s.head(413, [("content-length", "0")], end=True)}, default=answer(b"x"),
                           workers=1, limits="request_body 100M;")
    with larder.client() as client:
        client.request("/no", method="POST", headers=[("Content-Length", "5000000")])
        client.send(b"x" * 100_000)
        same(client.read_response().status, 413)
    same(larder.fetch("/x").status, 200)
    same(len(origin.conns), 1)


def test_upload_that_breaks_off(t):
    """The origin never sees the end of a body that the client did not end."""
    origin, larder = setup(t, {"/up": lambda s: s.ended.wait(60)}, workers=1)
    client = larder.client()
    client.request("/up", method="POST", headers=[("Content-Length", "1000")])
    client.send(b"half")
    wait_for(lambda: origin.count("/up") == 1, 10, "the request")
    client.close()
    wait_for(lambda: origin.resets, 10, "the reset")
    assert not origin.streams[0].ended.is_set()


def test_what_is_not_believed(t):
    """Malformed responses get 502 and nothing of them is stored."""
    def fields(*pairs, body=b"", status="200"):
        def behave(stream):
            stream.head(status, pairs, end=not body)
            if body:
                stream.data(body, end=True)
        return behave
    routes = {
        "/upper": fields(("X-Upper", "1")), "/connection": fields(("connection", "close")),
        "/te": fields(("transfer-encoding", "chunked"), body=b"5\r\nhello\r\n0\r\n\r\n"),
        "/crlf": fields(("x-a", "b\r\nset-cookie: c")), "/name": fields(("x a", "b")),
        "/status": fields(status="99"), "/switch": lambda s: s.head(101),
        "/lengths": fields(("content-length", "3"), ("content-length", "5"), body=b"hello"),
        "/plus": fields(("content-length", "+5"), body=b"hello"),
        "/long": fields(*((f"x-{i}", "y" * 1000) for i in range(100))),
        "/more": fields(("content-length", "3"), ("cache-control", "max-age=60"), body=b"hello"),
        "/less": fields(("content-length", "30"), ("cache-control", "max-age=60"), body=b"hello"),
    }
    origin, larder = setup(t, routes, default=answer(b"good"), workers=1)
    for path in routes:
        for _ in range(2):
            with larder.client() as client:
                client.request(path)
                got = client.read_head()
                if path in ("/more", "/less") and got.status == 200:
                    try:
                        client.read_body(got)
                    except AssertionError:
                        pass
                    assert path == "/more" or not got.complete, path
                else:
                    same(got.status, 502, path)
                assert not got.is_hit, path
    same(larder.fetch("/good").body, b"good")


def test_interim_and_trailers(t):
    """103 goes to the client, 100 does not; trailers are nobody's."""
    def behave(stream):
        stream.head(103, [("link", "</a>; rel=preload")])
        stream.head(200, [("cache-control", "no-store")])
        stream.data(b"body")
        stream.conn.do(lambda h: h.send_headers(stream.number, [("x-trailer", "1"), ("content-length", "99")], end_stream=True))
    origin, larder = setup(t, {"/a": behave})
    got = larder.fetch("/a")
    same((got.status, got.body, got.get("x-trailer"), got.get("content-length")), (200, b"body", None, None))


def test_resets_and_refusals(t):
    """A refused stream is sent again, a broken one is a 502 or a cut answer; others on the connection go on."""
    seen = {}

    def refuse_once(stream):
        seen[stream.path] = seen.get(stream.path, 0) + 1
        if seen[stream.path] == 1:
            stream.reset(h2origin.h2.errors.ErrorCodes.REFUSED_STREAM)
        else:
            answer(b"taken")(stream)

    def broken_body(stream):
        stream.head(200, [("content-length", "100"), ("cache-control", "max-age=60")])
        stream.data(b"half")
        time.sleep(0.2)
        stream.reset(h2origin.h2.errors.ErrorCodes.INTERNAL_ERROR)

    origin, larder = setup(t, {"/refused": refuse_once, "/broken": broken_body, "/never":
                               lambda s: s.reset(h2origin.h2.errors.ErrorCodes.REFUSED_STREAM), "/reset":
                               lambda s: s.reset(h2origin.h2.errors.ErrorCodes.INTERNAL_ERROR),
                               "/slow": answer(b"slow", delay=1.5)}, workers=1)
    slow = larder.client()
    slow.request("/slow")
    same(larder.fetch("/refused").body, b"taken")
    same(seen["/refused"], 2)
    same(larder.fetch("/never").status, 502)
    same(larder.fetch("/reset").status, 502)
    for _ in range(2):
        with larder.client() as client:
            client.request("/broken")
            got = client.read_head()
            assert not got.is_hit
            try:
                client.read_body(got)
            except AssertionError:
                pass
            assert not got.complete
    same(slow.read_response().body, b"slow")
    slow.close()
    same(len(origin.conns), 1)


def test_a_lone_server_is_asked_once_more(t):
    """What it says it has not acted on: by default a second try, of three sends each, also of a POST; none if so said."""
    seen = {}

    def refuse_five(stream):
        seen[stream.path] = seen.get(stream.path, 0) + 1
        if seen[stream.path] <= 5:
            stream.reset(h2origin.h2.errors.ErrorCodes.REFUSED_STREAM)
        else:
            answer(b"taken")(stream)
    _, larder = setup(t, default=refuse_five)
    for method in ("GET", "POST"):
        got = larder.fetch(f"/{method}", method)
        same((got.status, got.body, seen[f"/{method}"]), (200, b"taken", 6), method)
    same(larder.metrics()['larder_origin_retries_total{pool="*"}'], 2)
    larder.write_config(sites=larder.settings["sites"].replace("timeout ", "retry 0; timeout "))
    larder.command("reload", check=0)
    same((larder.fetch("/none").status, seen["/none"]), (502, 3))


def test_goaway_under_load(t):
    """Connections that the origin leaves one after the other: no request is lost."""
    def leave(stream):
        time.sleep(0.02)
        answer(stream.path.encode())(stream)
        with stream.conn.lock:
            if len(stream.conn.streams) >= 15 and not getattr(stream.conn, "left", False):
                stream.conn.left = True
                # What comes behind this one was not looked at.
                stream.conn.raw(frame(7, 0, 0, struct.pack(">II", max(stream.conn.streams), 0)))
    origin, larder = setup(t, default=leave, workers=1)
    failed = []

    def client(number):
        for i in range(25):
            got = larder.fetch(f"/{number}/{i}")
            if got.status != 200 or got.body != f"/{number}/{i}".encode():
                failed.append(got)
    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(failed, [])
    assert len(origin.conns) > 3, len(origin.conns)


def test_a_flood_of_frames_is_cut(t):
    """PINGs and SETTINGS without end cost the connection, not the proxy."""
    def flood(payload):
        def behave(stream):
            for _ in range(200):
                stream.conn.raw(payload * 1000)
        return behave
    _, larder = setup(t, {"/ping": flood(frame(6, 0, 0, b"12345678")), "/settings": flood(frame(4, 0, 0)),
                          "/empty": lambda s: (s.head(), flood(frame(0, 0, s.number))(s))},
                      default=answer(b"fine"), workers=1)
    for path in ("/ping", "/settings"):
        same(larder.fetch(path).status, 502)
        same(larder.fetch("/fine").body, b"fine")
    with larder.client() as client:
        client.request("/empty")
        got = client.read_head()
        try:
            client.read_body(got)
        except AssertionError:
            pass
        assert not got.complete
    same(larder.fetch("/fine").body, b"fine")


def test_protocol_is_the_origins_choice(t):
    """One that speaks only HTTP/1 gets that, also when many ask at once; `http2 off` offers nothing else."""
    ca = Authority(t)
    plain = TlsOrigin(t, ca.issue("IP:127.0.0.1"), default=reply(lambda r: r.target, delay=0.2))
    larder = t.larder(plain, sites=site(plain.port, f"ca={ca.path}"), workers=1)
    targets = [f"/{i}" for i in range(20)]
    for target, got in zip(targets, at_once(larder, targets)):
        same((got.status, got.body), (200, target.encode()))
    assert plain.connections <= 20, plain.connections
    port, log = nginx(t, ca.issue("IP:127.0.0.1"), {"a": b"1"})
    known = 0
    for more, wanted in (("", "HTTP/2.0"), ("http2 off;", "HTTP/1.1")):
        larder = t.larder(port, sites=site(port, f"ca={ca.path}", more))
        same(larder.fetch("/a").body, b"1")
        known += 1
        same(log_lines(log, known)[-1].split()[2], wanted)


def test_nginx(t):
    """A real server: many files at once over few connections, checked byte for byte; uploads through it."""
    ca = Authority(t)
    files = {f"f{i}": content(f"/f{i}", 1000 + 40_000 * i) for i in range(30)}
    port, log = nginx(t, ca.issue("IP:127.0.0.1"), files)
    larder = t.larder(port, sites=site(port, f"ca={ca.path}"), workers=1)
    for name, got in zip(files, at_once(larder, [f"/{name}" for name in files])):
        same_body(got, files[name])
    rows = [line.split() for line in log_lines(log, len(files))]
    same({row[2] for row in rows}, {"HTTP/2.0"})
    same(len({row[0] for row in rows}), 1)


class Mute(H2Origin):
    """Agrees to HTTP/2 on its first connection and says not a word more on it."""

    def serve(self, sock):
        with self.lock:
            self.met = getattr(self, "met", 0) + 1
            is_first = self.met == 1
        if not is_first:
            return super().serve(sock)
        sock = self.context.wrap_socket(sock, server_side=True)
        while sock.recv(65536):
            pass


def test_nobody_waits_for_a_mute_connection_for_ever(t):
    """Whoever opened it has left, others come on and on: the first who waited in vain ends it."""
    ca = Authority(t)
    origin = Mute(t, ca.issue("IP:127.0.0.1"), default=answer(b"fine"))
    larder = t.larder(origin.port, workers=1, sites=f"""site * {{ origins {{ server main https://127.0.0.1:{origin.port};
        timeout connect=3s first_byte=60s; tls ca={ca.path}; }} cache {{ off; }} }}""")
    first = larder.client()
    first.request("/first", method="POST", headers=[("Content-Length", "1")])
    first.send(b"x")
    wait_for(lambda: getattr(origin, "met", 0) == 1, 10, "the mute connection")
    time.sleep(0.3)
    first.close()
    end, got, threads = time.monotonic() + 30, [], []
    while 200 not in got and time.monotonic() < end:
        threads.append(threading.Thread(target=lambda: got.append(larder.fetch("/", timeout=40).status)))
        threads[-1].start()
        time.sleep(0.1)
    assert 200 in got, got
    for thread in threads:
        thread.join()
    same([larder.fetch("/").status for _ in range(10)], [200] * 10)
