"""HTTPS to origins: who is believed, what is said when nobody is, and that TLS changes nothing else."""
import os

from case import content, reply, same, same_body, wait_for
from tls import Authority, TlsOrigin, log_lines, nginx, site


def log_of(larder):
    with open(larder.error_path, encoding="utf-8") as log:
        return log.read()


def test_what_is_believed(t):
    """Own CA, name and dates hold or the client gets a 502 that says what is wrong; nothing is sent then."""
    ca, other = Authority(t), Authority(t, "other")
    good, expired = ca.issue("DNS:app.test,IP:127.0.0.1"), ca.issue("DNS:app.test", days=-1)
    strange = other.issue("DNS:app.test")
    routes = {"/a": reply("fine", cache="max-age=60")}
    origins = {name: TlsOrigin(t, pair, routes) for name, pair in (("good", good), ("expired", expired), ("strange", strange))}
    rows = [
        ("good", f"ca={ca.path} name=app.test", None),
        ("good", f"ca={ca.path}", None),  # the address is in the certificate
        ("good", f"ca={ca.path} name=other.test", "is for another name"),
        ("expired", f"ca={ca.path} name=app.test", "has expired"),
        ("strange", f"ca={ca.path} name=app.test", "is of an unknown CA"),
        ("strange", "verify=off", None),
        ("expired", "verify=off", None),
        ("good", "name=app.test", "is of an unknown CA"),  # this machine does not know it
    ]
    for number, (which, tls, problem) in enumerate(rows):
        origin = origins[which]
        before = origin.count("/a")
        larder = t.larder(origin, sites=site(origin.port, tls), workers=1, disk=False)
        answer = larder.fetch("/a")
        if problem is None:
            same((answer.status, answer.body), (200, b"fine"), tls)
            assert larder.fetch("/a").is_hit
        else:
            same(answer.status, 502, tls)
            assert "tls_certificate_error" in answer.get("Proxy-Status"), answer.raw_head
            wait_for(lambda: problem in log_of(larder), 10, f"{problem!r} in the log")
        same(origin.count("/a"), before + (1 if problem is None else 0), tls)
        larder.stop()
        t.larders.remove(larder)


def test_name_and_host(t):
    """SNI is the name that is verified; Host stays the client's."""
    ca = Authority(t)
    origin = TlsOrigin(t, ca.issue("DNS:app.test"), {"/a": reply("x")})
    larder = t.larder(origin, sites=site(origin.port, f"ca={ca.path} name=app.test"))
    same(larder.fetch("/a", host="www.site.test").status, 200)
    same(origin.names, ["app.test"])
    same(origin.last("/a").get("Host"), "www.site.test")


def test_client_certificate(t):
    """An origin that asks who we are gets an answer, or the client a 502."""
    ca = Authority(t)
    origin = TlsOrigin(t, ca.issue("IP:127.0.0.1"), {"/a": reply("x")}, demands=ca.path)
    cert, key = ca.issue("DNS:larder.test")
    larder = t.larder(origin, sites=site(origin.port, f"ca={ca.path} cert={cert} key={key}"))
    same(larder.fetch("/a").status, 200)
    same(origin.peers[-1]["subjectAltName"], (("DNS", "larder.test"),))
    larder.write_config(sites=site(origin.port, f"ca={ca.path}"))
    larder.command("reload", check=0)
    answer = larder.fetch("/a")
    same(answer.status, 502)
    assert "tls_protocol_error" in answer.get("Proxy-Status"), answer.raw_head
    # A key that is not the certificate's is told before anything changes.
    other = ca.issue("DNS:x.test")
    larder.write_config(sites=site(origin.port, f"ca={ca.path} cert={cert} key={other[1]}"))
    told = larder.cli("check", larder.config_path)
    assert told.returncode != 0 and "holds the key of another certificate" in told.stdout + told.stderr, told


def test_no_tls_there(t):
    """An origin that speaks plain HTTP on that port."""
    origin = t.origin({"/a": reply("x")})
    larder = t.larder(origin, sites=site(origin.port, "verify=off", timeouts="connect=2s"))
    answer = larder.fetch("/a")
    same(answer.status, 504)  # our hello is no request to it: it waits for the rest
    same(origin.count(), 0)


def test_connections_are_kept(t):
    """One handshake serves many requests; after it a session is resumed; POSTs have their own connections."""
    ca = Authority(t)
    origin = TlsOrigin(t, ca.issue("IP:127.0.0.1"), default=reply(lambda request: request.target, cache="no-store"))
    larder = t.larder(origin, workers=1, sites=site(origin.port, f"ca={ca.path}", "keepalive 4 idle=4s;"))
    with larder.client() as client:
        for number in range(50):
            client.request(f"/{number}")
            same(client.read_response().body, b"/%d" % number)
    same(origin.connections, 1)
    same(len(origin.failures), 0)
    wait_for(lambda: not origin.live, 20, "the end of its time")
    same(larder.fetch("/again").status, 200)
    same((origin.connections, origin.resumed), (2, 1))


def test_bodies(t):
    """Large bodies in both directions, byte for byte, with slow clients."""
    ca = Authority(t)
    big = content("/big", 12_000_000)

    def echo(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(request.body) + request.body)

    origin = TlsOrigin(t, ca.issue("IP:127.0.0.1"), {"/big": reply(big), "/chunks": reply(big, chunked=True), "/echo": echo})
    larder = t.larder(origin, sites=site(origin.port, f"ca={ca.path}"), limits="request_body 100M;")
    for path in ("/big", "/chunks"):
        with larder.client(receive_buffer=8192) as client:
            client.request(path)
            response = client.read_head()
            client.read_body(response)
            same_body(response, big)
    same_body(larder.fetch("/echo", method="POST", body=big[:5_000_000]), big[:5_000_000])


def test_nginx(t):
    """A real server with TLS."""
    ca = Authority(t)
    data = os.urandom(700_000)
    port, log = nginx(t, ca.issue("IP:127.0.0.1"), {"a.bin": data}, http2=False)
    larder = t.larder(port, sites=site(port, f"ca={ca.path}"))
    for _ in range(3):
        same_body(larder.fetch("/a.bin"), data)
    same([line.split()[2:] for line in log_lines(log, 1)], [["HTTP/1.1", "200", "/a.bin"]])
