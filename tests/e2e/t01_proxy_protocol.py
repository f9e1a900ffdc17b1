"""The PROXY protocol on listeners: the client is whom a permitted balancer names, and nobody else gets in."""
import socket
import struct
import time

from case import Client, reply, same, settle, wait_for

FROM_US = "proxy_protocol from 127.0.0.0/8;"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET /%b HTTP/1.1\r\nHost: site.test\r\n\r\n"
V1 = b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 80\r\n"
TLS = b"\x20\0\5\1\0\0\0\0"


def v2(source="203.0.113.9", values=b"", command=0x21):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    address = socket.inet_pton(family, source)
    data = address + address + struct.pack(">HH", 4711, 80) + values
    return SIGNATURE + bytes([command, 0x21 if ":" in source else 0x11]) + struct.pack(">H", len(data)) + data


def ask(larder, header, name=b"a"):
    with larder.client() as client:
        client.send(header + GET % name)
        return client.read_response()


def is_closed_at_once(larder, data, source=None):
    """Closed without an answer, long before any deadline: heads have two minutes here."""
    start = time.monotonic()
    with larder.client(source=source) as client:
        try:
            if data:
                client.send(data)
            assert client.is_closed(20), f"{data[:60]!r}: answered, or kept open: {client.buffer[:200]!r}"
        except (BrokenPipeError, ConnectionResetError):
            pass
    return time.monotonic() - start < 60


PATIENT = "head_timeout 2m;"


def refused(larder):
    return larder.metrics()["larder_connections_refused_proxy_total"]


def test_client_named(t):
    """Both versions and both families, for origin, access log and everything after on the same connection."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = t.larder(origin, listen=FROM_US)
    for name, header, client in (("v1", V1, "203.0.113.7"),
                                 ("v1six", b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n", "2001:db8::7"),
                                 ("v2", v2(), "203.0.113.9"), ("v2six", v2("2001:db8::9"), "2001:db8::9"),
                                 ("mapped", v2("::ffff:203.0.113.5"), "203.0.113.5"),
                                 ("values", v2(values=b"\2\0\4host\x05\0\2id" * 300), "203.0.113.9")):
        same(ask(larder, header, name.encode()).status, 200, name)
        same(origin.last("/" + name).all("X-Forwarded-For"), [client], name)
        same(origin.last("/" + name).all("X-Forwarded-Proto"), ["http"], name)
    same(ask(larder, v2(values=TLS), b"tls").status, 200)
    same(origin.last("/tls").all("X-Forwarded-Proto"), ["https"])
    for name, header in (("local", v2(command=0x20)), ("unknown", b"PROXY UNKNOWN\r\n"),
                         ("unspec", SIGNATURE + b"\x21\0\0\0")):
        same(ask(larder, header, name.encode()).status, 200, name)
        same(origin.last("/" + name).all("X-Forwarded-For"), ["127.0.0.1"], name)
    with larder.client() as client:  # two requests on one connection, a second header is none
        client.send(V1 + GET % b"k1" + GET % b"k2")
        same(client.read_response().status, 200)
        same(client.read_response().status, 200)
        same(origin.last("/k2").all("X-Forwarded-For"), ["203.0.113.7"])
        client.send(V1)
        same(client.read_response().status, 400)
    wait_for(lambda: len(larder.access_lines()) >= 13, 10, "the access log")
    clients = {record["path"]: record["client"] for record in larder.access_records()}
    same((clients["/v1"], clients["/v2six"], clients["/k2"]), ("203.0.113.7", "2001:db8::9", "203.0.113.7"))
    same(refused(larder), 0)


def test_split_anywhere(t):
    """The header in two packets, cut before each of its bytes, and the request in the same packet as its end."""
    origin = t.origin(default=reply("x", cache="max-age=60"))
    larder = t.larder(origin, listen=FROM_US, limits=PATIENT)
    for header, client in ((V1, "203.0.113.7"), (v2("2001:db8::9", TLS), "2001:db8::9")):
        clients = []
        for at in range(1, len(header)):
            one = Client(larder.port)
            one.send(header[:at])
            clients.append((at, one))
        settle(0.3)  # each has been read by now
        for at, one in clients:
            one.send(header[at:] + GET % (b"%d%d" % (len(header), at)))
        for at, one in clients:
            with one:
                same(one.read_response().status, 200, f"cut at {at}")
            same(origin.last(f"/{len(header)}{at}").all("X-Forwarded-For"), [client], f"cut at {at}")
    same(refused(larder), 0)


def test_refused(t):
    """Without the header, with a broken one, or from another peer: closed unanswered, counted, nothing at the origin."""
    origin = t.origin(default=reply("x"))
    larder = t.larder(origin, listen="proxy_protocol from 127.0.0.1;", limits=PATIENT)
    count = 0
    for data in (GET % b"x", b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 99999\r\n" + GET % b"x",
                 b"PROXY " + b"x" * 200, V1[:-2] + b"\n" + GET % b"x", v2()[:12] + b"\x31" + v2()[13:],
                 SIGNATURE + b"\x21\x11\xff\xff", b" " + V1 + GET % b"x"):
        assert is_closed_at_once(larder, data), data
        count += 1
        wait_for(lambda count=count: refused(larder) == count, 10, repr(data[:40]))
    assert is_closed_at_once(larder, V1 + GET % b"x", source="127.0.0.2"), "a peer that is not permitted"
    wait_for(lambda: refused(larder) == count + 1, 10, "its count")
    with larder.client() as client:  # the header is cut
        client.send(V1[:20])
        client.socket.shutdown(socket.SHUT_WR)
        assert client.is_closed()
    wait_for(lambda: refused(larder) == count + 2, 10, "its count")
    with larder.client() as client:  # a balancer that only looks whether the port is open
        client.socket.shutdown(socket.SHUT_WR)
        assert client.is_closed()
    same(refused(larder), count + 2)
    same(origin.count(), 0)
    same(ask(larder, V1).status, 200)


def test_deadlines(t):
    """A header that trickles in has the time of a head; one alone leaves an idle connection."""
    origin = t.origin(default=reply("x"))
    larder = t.larder(origin, listen=FROM_US, limits="head_timeout 1s; client_idle 8s;")
    start = time.monotonic()
    with larder.client() as client:
        try:
            for at in range(42):
                client.send(V1[at:at + 1])
                settle(0.1)
            raise AssertionError("a header of one byte each 100 ms was not cut off")
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert time.monotonic() - start > 0.9, time.monotonic() - start
    with larder.client() as client:
        client.send(V1)
        settle(1.5)  # past the deadline of heads
        wait_for(lambda: larder.metrics()['larder_connections{state="idle"}'] == 1, 10, "an idle connection")
        client.send(GET % b"late")
        same(client.read_response().status, 200)
    same(origin.last("/late").all("X-Forwarded-For"), ["203.0.113.7"])
    start = time.monotonic()
    with larder.client() as client:
        client.send(V1)
        assert client.is_closed(30)
    assert time.monotonic() - start > 7.9, time.monotonic() - start


def test_reload(t):
    """What a listen block says is in force after a reload; the address itself stays until a restart."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = t.larder(origin, limits=PATIENT)
    same(larder.fetch("/plain").status, 200)
    larder.write_config(listen=FROM_US)
    larder.command("reload", check=0)
    assert is_closed_at_once(larder, GET % b"x")
    same(ask(larder, V1, b"named").status, 200)
    same(origin.last("/named").all("X-Forwarded-For"), ["203.0.113.7"])
    assert "proxy_protocol from 127.0.0.0/8;" in larder.cli("config", "show", larder.config_path).stdout
    larder.write_config(listen="proxy_protocol off;")
    larder.command("reload", check=0)
    same(larder.fetch("/plain2").status, 200)
    same(ask(larder, V1).status, 400)
