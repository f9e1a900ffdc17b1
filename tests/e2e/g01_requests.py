"""RFC 9112 and security.md 1-3: what is not in the grammar is refused with the end of the connection, and goes nowhere."""
from case import Skip, content, is_refused, reply, same, same_body, settle  # noqa: F401

HOST = b"Host: site.test\r\n"


def post(fields, body=b""):
    return b"POST /p HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


FRAMING = {
    "length and chunked": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "chunked and length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!"),
    "list of lengths": post(b"Content-Length: 5, 6\r\n", b"hello!"),
    "plus": post(b"Content-Length: +5\r\n", b"hello"),
    "minus": post(b"Content-Length: -5\r\n", b"hello"),
    "hex": post(b"Content-Length: 0x5\r\n", b"hello"),
    "space inside": post(b"Content-Length: 1 0\r\n", b"hello"),
    "empty length": post(b"Content-Length: \r\n", b"hello"),
    "letters": post(b"Content-Length: 5a\r\n", b"hello"),
    "25 digits": post(b"Content-Length: 1000000000000000000000005\r\n", b"hello"),
    "2^64": post(b"Content-Length: 18446744073709551616\r\n", b"hello"),
    "space before colon": post(b"Content-Length : 5\r\n", b"hello"),
    "tab before colon": post(b"Content-Length\t: 5\r\n", b"hello"),
    "chunked on 1.0": b"POST /p HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "gzip, chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "chunked, identity": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"),
    "chunked on two lines": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "identity": post(b"Transfer-Encoding: identity\r\n", b"hello"),
    "vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "quoted": post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n"),
    "parameter": post(b"Transfer-Encoding: chunked;a=b\r\n", b"0\r\n\r\n"),
    "empty coding": post(b"Transfer-Encoding: \r\n", b"0\r\n\r\n"),
    "underscore": post(b"Transfer-Encoding: chun_ked\r\n", b"0\r\n\r\n"),
}

HEADS = {
    "bare LF": b"GET / HTTP/1.1\nHost: site.test\n\n",
    "one bare LF": b"GET / HTTP/1.1\r\nHost: site.test\nX: y\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: site.test\r\nX: a\rb\r\n\r\n",
    "NUL in value": b"GET / HTTP/1.1\r\nHost: site.test\r\nX: a\0b\r\n\r\n",
    "NUL in name": b"GET / HTTP/1.1\r\nHost: site.test\r\nX\0: b\r\n\r\n",
    "obs-fold": b"GET / HTTP/1.1\r\nHost: site.test\r\nX: a\r\n b\r\n\r\n",
    "first line folded": b"GET / HTTP/1.1\r\n Host: site.test\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: site.test\r\nnonsense\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: site.test\r\n: x\r\n\r\n",
    "space in name": b"GET / HTTP/1.1\r\nHost: site.test\r\nX Y: z\r\n\r\n",
    "control in value": b"GET / HTTP/1.1\r\nHost: site.test\r\nX: a\x01b\r\n\r\n",
    "DEL in value": b"GET / HTTP/1.1\r\nHost: site.test\r\nX: a\x7fb\r\n\r\n",
    "high byte in name": b"GET / HTTP/1.1\r\nHost: site.test\r\nX\xe9: a\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\nX: y\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: site.test\r\nHost: site.test\r\n\r\n",
    "empty host with path": b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
    "host with space": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "host with user": b"GET / HTTP/1.1\r\nHost: user@site.test\r\n\r\n",
    "host with path": b"GET / HTTP/1.1\r\nHost: site.test/x\r\n\r\n",
    "host list": b"GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n",
    "host port letters": b"GET / HTTP/1.1\r\nHost: site.test:80a\r\n\r\n",
    "host port too large": b"GET / HTTP/1.1\r\nHost: site.test:99999\r\n\r\n",
    "host open bracket": b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "space in target": b"GET /a b HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "tab": b"GET\t/ HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "leading space": b" GET / HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "trailing space": b"GET / HTTP/1.1 \r\nHost: site.test\r\n\r\n",
    "control in target": b"GET /\x01 HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "NUL in target": b"GET /\0 HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "high byte in target": b"GET /\xff HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "fragment": b"GET /a#b HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "no slash": b"GET index HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "method with control": b"GE\x01T / HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "method with colon": b"GE:T / HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "small http": b"GET / http/1.1\r\nHost: site.test\r\n\r\n",
    "HTTP/1": b"GET / HTTP/1\r\nHost: site.test\r\n\r\n",
    "HTTP/1.1.1": b"GET / HTTP/1.1.1\r\nHost: site.test\r\n\r\n",
    "HTTP/01.1": b"GET / HTTP/01.1\r\nHost: site.test\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: site.test\r\n\r\n",
    "HTTP/0.9": b"GET / HTTP/0.9\r\nHost: site.test\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 60 + b"\r\n\r\n",
    "absolute with user": b"GET http://user@site.test/ HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "absolute without host": b"GET http:///x HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "absolute foreign scheme": b"GET ftp://site.test/x HTTP/1.1\r\nHost: site.test\r\n\r\n",
}

CHUNKS = {
    "size minus": b"-5\r\nhello\r\n0\r\n\r\n", "size plus": b"+5\r\nhello\r\n0\r\n\r\n", "size 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size empty": b"\r\nhello\r\n0\r\n\r\n", "size letters": b"5g\r\nhello\r\n0\r\n\r\n",
    "size leading space": b" 5\r\nhello\r\n0\r\n\r\n", "size huge": b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "size 2^64 plus 5": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size LF": b"5\nhello\r\n0\r\n\r\n", "size CR": b"5\rhello\r\n0\r\n\r\n", "data without CRLF": b"5\r\nhello0\r\n\r\n",
    "data LF": b"5\r\nhello\n0\r\n\r\n", "data too long": b"5\r\nhello!\r\n0\r\n\r\n",
    "NUL in extension": b"5;a\0b\r\nhello\r\n0\r\n\r\n", "LF in extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "bad trailer": b"5\r\nhello\r\n0\r\nno colon\r\n\r\n", "trailer LF": b"5\r\nhello\r\n0\r\nA: b\n\n",
    "endless extension": b"5;" + b"a" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
}


def refuse_all(t, table, statuses):
    origin = t.origin(default=reply("reached", cache="max-age=60"))
    larder = t.larder(origin)
    wrong = []
    for name, data in table.items():
        # What follows must never be taken for a request of its own.
        smuggled = data + b"GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n"
        for bytes_sent in (data, smuggled):
            try:
                is_refused(larder, bytes_sent, statuses)
            except (AssertionError, OSError) as error:
                wrong.append(f"{name}: {error!r}")
                break
    assert not wrong, "\n" + "\n".join(wrong)
    same([request.line for request in origin.requests], [], "what reached the origin")
    same(larder.fetch("/after").status, 200)


def test_framing(t):
    refuse_all(t, FRAMING, (400, 501))


def test_heads(t):
    refuse_all(t, HEADS, (400, 421, 505))


def test_chunks(t):
    """A body that turns out bad after the head: never completed towards the origin."""
    done = []

    def behave(conn, request):
        done.append(request.body)
        reply("x")(conn, request)
    origin = t.origin({"/p": behave})
    larder = t.larder(origin)
    wrong = []
    for name, data in CHUNKS.items():
        with larder.client() as client:
            client.send(post(b"Transfer-Encoding: chunked\r\n"))
            try:
                client.send(data + b"GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n")
            except OSError:
                pass
            try:
                response = client.read_response()
                if response.status not in (400, 413, 431, 502) or not client.is_closed():
                    wrong.append(f"{name}: {response}, closed {client.ended}")
            except AssertionError:
                pass  # cut without an answer: also fine
            except OSError as error:
                wrong.append(f"{name}: {error!r}")
    assert not wrong, "\n" + "\n".join(wrong)
    same(done, [], "bodies completed towards the origin")
    same(origin.count("/smuggled"), 0)


def test_limits(t):
    origin = t.origin(default=reply("reached", cache="no-store"))
    larder = t.larder(origin, limits="head 8K; target 2K; fields 50; request_body 10K;")
    same(larder.fetch("/" + "a" * 1500).status, 200)
    is_refused(larder, b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", (400, 414))
    is_refused(larder, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9000 + b"\r\n\r\n", (400, 431))
    is_refused(larder, b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 60 + b"\r\n", (400, 431))
    is_refused(larder, b"GET /" + b"a" * 100_000, (400, 414, 431))
    before = origin.count()
    is_refused(larder, post(b"Content-Length: 10241\r\n"), 413)
    same(origin.count(), before, "an upload over the limit reached the origin")
    same(larder.fetch("/p", "POST", body=b"x" * 10240).status, 200)
    with larder.client() as client:
        client.send(post(b"Transfer-Encoding: chunked\r\n"))
        try:
            for _ in range(40):
                client.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
            client.send(b"0\r\n\r\n")
        except OSError:
            pass
        try:
            assert client.read_response().status in (413, 400, 502)
        except AssertionError as error:
            assert client.ended, error


def test_more_fields_after_a_reload(t):
    """What was made for shorter tables is not used on."""
    larder = t.larder(t.origin(default=reply("reached", cache="no-store")), limits="fields 20;", workers=1)
    clients = [larder.client() for _ in range(4)]
    for client in clients:
        client.send("GET / HTT")
    settle(0.2)
    for client in clients:
        client.send("P/1.1\r\nHost: site.test\r\n\r\n")
        same(client.read_response().status, 200)
    larder.write_config(limits="fields 200;")
    larder.command("reload", check=0)
    same([larder.fetch("/", headers=[(f"X-{i}", "1") for i in range(100)]).status for _ in range(5)], [200] * 5)


def test_good_but_odd_requests(t):
    """Strict is not rude: all of these are in the grammar."""
    origin = t.origin(default=reply("ok", cache="no-store"))
    larder = t.larder(origin)
    odd = [
        b"\r\nGET /a HTTP/1.1\r\nHost: site.test\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhOsT:site.test\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: site.test  \t \r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: site.test\r\nX-Empty:\r\nX-Latin: caf\xe9\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: site.test\r\n!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n",
        b"GET /a!$&'()*+,;=:@-._~%41?/?x=|%20 HTTP/1.1\r\nHost: site.test\r\n\r\n".replace(b"|", b""),
        b"POST /a HTTP/1.1\r\nHost: site.test\r\nContent-Length: 0005\r\n\r\nhello",
        b"POST /a HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: CHUNKED\r\n\r\n5;a=b;c=\"d\"\r\nhello\r\n000\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: site.test\r\n\r\n",
        b"GET /a HTTP/1.9\r\nHost: site.test\r\n\r\n",
    ]
    for data in odd:
        with larder.client() as client:
            client.send(data)
            response = client.read_response()
            assert response.status == 200 or (b"OPTIONS *" in data and response.status < 500), f"{data!r}: {response}"
            client.request("/again")
            same(client.read_response().status, 200, f"after {data!r}")


def test_refused_split_at_every_byte(t):
    origin = t.origin(default=reply("reached", cache="no-store"))
    larder = t.larder(origin)
    data = b"GET /x HTTP/1.1\r\nHost: site.test\r\nContent-Length : 5\r\n\r\n"
    for at in range(1, len(data), 3):
        with larder.client() as client:
            client.send(data[:at])
            try:
                client.send(data[at:])
            except OSError:
                pass
            same(client.read_response().status, 400)
    same(origin.count(), 0)


def test_garbage(t):
    """Random bytes: an answer or the end, and the next client is served."""
    import random
    larder = t.larder(t.origin(default=reply("ok", cache="max-age=60")))
    chance = random.Random(7)
    for _ in range(150):
        with larder.client() as client:
            data = bytes(chance.choice(b"GET /HTTP1.\r\n: \0\xffContent-Length5chunked") for _ in range(chance.randint(1, 400)))
            client.send(data + b"\r\n\r\n\r\n\r\n")
            client.half_close()
            while client.fill():
                pass
    same(larder.fetch("/").status, 200)
