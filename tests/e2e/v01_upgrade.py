"""Upgrade (RFC 9110 7.8): only where a rule says so, only to what was offered, and then every byte both ways."""
import socket
import threading
import time

from case import Closed, content, head, raw, reply, same, settle, slow, wait_for
from websocket import CLOSE, PING, PONG, BINARY, TEXT, connect, echo, frame, server

MB = 1 << 20
ON = "rule path /ws* { upgrade on; }"


def start(t, routes, site=ON, **words):
    origin = t.origin(routes)
    return origin, t.larder(origin, site=site, **words)


def test_messages_both_ways(t):
    """Texts, binaries, fragments, pings, 1 MB: as they were sent, in both directions."""
    origin, larder = start(t, {"/ws": echo})
    with larder.client() as client:
        response, peer = connect(client)
        same((response.status, response.reason), (101, "Switching Protocols"))
        same((response.get("Upgrade"), response.get("Connection")), ("websocket", "Upgrade"))
        for message, opcode, pieces in ((b"hello", TEXT, 1), (b"", TEXT, 1), (content("b", 70000), BINARY, 1),
                                        (b"in pieces" * 50, TEXT, 7), (content("m", MB), BINARY, 1),
                                        (content("f", MB + 13), BINARY, 40)):
            peer.send(message, opcode, pieces)
            got = peer.receive()
            assert got[:2] == (opcode, message), f"{len(message)} bytes came back as {len(got[1])}"
        peer.send(b"x", PING)
        same(peer.receive()[:2], (PONG, b"x"))
        peer.send(b"\x03\xe8", CLOSE)
        same(peer.receive()[:2], (CLOSE, b"\x03\xe8"))
        assert client.is_closed()
    record = wait_for(lambda: larder.access_records(), 5)[0]
    same((record["status"], record["result"], record["reason"], record["origin_status"], record["aborted"]),
         (101, "pass", "upgrade", 101, False))
    assert record["bytes"] > 2 * MB and record["received"] > 2 * MB, record
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 0, 10, "its end")
    metrics = larder.metrics()
    same(metrics["larder_tunnels_total"], 1)
    for side in ("to_client", "to_origin"):
        assert metrics[f'larder_tunnel_bytes_total{{direction="{side}"}}'] > 2 * MB, metrics


def test_what_the_origin_sees(t):
    """The two fields are made anew, all else of this hop is dropped, and the connection is a new one each time."""
    origin, larder = start(t, {"/ws": echo, "/": reply("x", cache="no-store")})
    larder.fetch("/")
    with larder.client() as client:
        client.send("GET /ws?a=1 HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade, X-Drop, keep-alive\r\n"
                    "Upgrade: h2c, WebSocket,foo/1\r\nX-Drop: 1\r\nKeep-Alive: 5\r\nHTTP2-Settings: AAAA\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n"
                    "Origin: http://site.test\r\nCookie: a=b\r\n\r\n")
        response = client.read_head()
        same((response.status, response.get("Sec-WebSocket-Accept")), (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        seen = origin.last("/ws")
        same(seen.line, "GET /ws?a=1 HTTP/1.1")
        same((seen.all("Connection"), seen.all("Upgrade")), (["Upgrade"], ["WebSocket"]))
        same([seen.get(name) for name in ("X-Drop", "Keep-Alive", "HTTP2-Settings", "TE")], [None] * 4)
        same([seen.get(name) for name in ("Sec-WebSocket-Protocol", "Origin", "Cookie")],
             ["chat", "http://site.test", "a=b"])
        assert "larder" in seen.get("Via"), seen.raw_head
    same(origin.connections, 2, "a kept connection was used")


def test_with_content(t):
    """Of any method, in either framing: the origin gets it whole before the tunnel begins, which has the bytes behind it."""
    def raw_echo(conn, _request):
        conn.send(head(101, [("Upgrade", "foo"), ("Connection", "Upgrade")]) + conn.buffer)
        conn.keep = False
        while data := conn.socket.recv(65536):
            conn.send(data)

    origin, larder = start(t, {"/ws": raw_echo}, site="upgrade foo;")
    big, early = content("big", 300000), content("early", 20000)
    for method in ("GET", "POST", "OPTIONS", "PROPFIND"):
        for body in (b"", b"hello", big):
            for framed in (b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
                           b"Transfer-Encoding: chunked\r\n\r\n"
                           + (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"):
                with larder.client() as client:
                    client.send(b"%b /ws HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n%b%b"
                                % (method.encode(), framed, early))
                    same(client.read_head().status, 101, (method, framed[:30]))
                    assert client.read_some(len(early)) == early and origin.last().body == body, (method, framed[:30])


def test_head_with_content(t):
    """Its content goes nowhere, so nothing is offered that would begin behind it."""
    origin, larder = start(t, {"/ws": reply("plain", cache="no-store")}, site="upgrade foo;")
    for framed in (b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"):
        with larder.client() as client:
            client.send(b"HEAD /ws HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n" + framed)
            same(client.read_response("HEAD").status, 200)
            same(origin.last().all("Upgrade"), [])
    origin.routes["/ws"] = raw(head(101, [("Upgrade", "foo"), ("Connection", "Upgrade")]))
    with larder.client() as client:
        client.send(b"HEAD /ws HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n"
                    b"Content-Length: 5\r\n\r\nhello")
        same(client.read_response("HEAD").status, 502)


def test_off_by_default(t):
    """Without the setting the origin sees a plain request, and a 101 to that is refused."""
    origin, larder = start(t, {"/ws": reply("plain", cache="no-store"), "/other": reply("plain", cache="no-store"),
                               "/lie": echo}, site="rule path /on { upgrade on; }")
    for target in ("/ws", "/other"):
        with larder.client() as client:
            response, _ = connect(client, target)
            client.read_body(response)
            same((response.status, response.body), (200, b"plain"))
            same((origin.last().get("Upgrade"), origin.last().get("Connection")), (None, None))
    with larder.client() as client:
        same(connect(client, "/lie")[0].status, 502)


def test_settings(t):
    """Of the site, overridden by rules, by name; live after a reload."""
    origin, larder = start(t, {"/ws": echo, "/off": reply("plain")}, site="upgrade foo websocket; rule path /off { upgrade off; }")
    with larder.client() as client:
        same(connect(client)[0].status, 101)
        same(connect(larder.client(), "/off")[0].status, 200)
        shown = larder.cli("config", "show", "-c", larder.config_path, check=0).stdout
        assert "upgrade foo websocket;" in shown and "upgrade off;" in shown, shown
        larder.write_config(site="upgrade foo;")
        larder.command("reload", check=0)
        origin.routes["/ws"] = reply("plain", cache="no-store")
        same(connect(larder.client())[0].status, 200)
        client.send(frame(b"still there"))
        assert b"still there" in client.socket.recv(100), "the reload ended a tunnel"


def test_explain_tells(t):
    _, larder = start(t, {})
    shown = larder.command("explain", larder.url("/ws"), "-H", "Connection: Upgrade", "-H", "Upgrade: websocket",
                           check=0).stdout
    assert "upgrade" in shown and "pass" in shown, shown


def test_101_that_was_not_asked_for(t):
    """Another protocol, no protocol, no Connection, a length: 502, and not a byte of it reaches the client."""
    bad = {
        "/ws1": [("Connection", "Upgrade"), ("Upgrade", "h2c")],
        "/ws2": [("Connection", "Upgrade")],
        "/ws3": [("Upgrade", "websocket")],
        "/ws4": [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Content-Length", "5")],
        "/ws5": [("Connection", "Upgrade"), ("Upgrade", "websocket, h2c")],
        "/ws6": [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Transfer-Encoding", "chunked")],
    }
    _, larder = start(t, {target: raw(head(101, fields) + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplant")
                          for target, fields in bad.items()})
    for target in bad:
        with larder.client() as client:
            response, _ = connect(client, target)
            client.read_body(response)
            same((response.status, b"plant" in response.body), (502, False), target)
            same(larder.fetch(target).status, 502, f"{target} without asking")


def test_other_answers_are_ordinary(t):
    """The origin may decline: its answer is relayed, not stored, and the connection goes on."""
    origin, larder = start(t, {"/ws": reply("no", 403, cache="max-age=60"), "/ws2": reply("yes", cache="max-age=60"),
                               "/ws3": raw(head(426, [("Upgrade", "websocket"), ("Connection", "Upgrade, close"),
                                                      ("Content-Length", "0")]))})
    with larder.client() as client:
        for target, status, body in (("/ws", 403, b"no"), ("/ws2", 200, b"yes"), ("/ws2", 200, b"yes"),
                                     ("/ws3", 426, b"")):
            response, _ = connect(client, target)
            client.read_body(response)
            same((response.status, response.body), (status, body))
    same(origin.count("/ws2"), 2, "an answer to an upgrade was taken from the cache")
    larder.fetch("/ws2")
    same(origin.count("/ws2"), 3, "an answer to an upgrade was stored")


def test_never_from_the_cache(t):
    origin, larder = start(t, {"/ws": reply("stored", cache="max-age=60")})
    larder.fetch("/ws")
    assert larder.fetch("/ws").is_hit
    origin.routes["/ws"] = echo
    with larder.client() as client:
        same(connect(client)[0].status, 101)
    assert larder.fetch("/ws").is_hit


def test_http_1_0_is_not_upgraded(t):
    origin, larder = start(t, {"/ws": reply("plain", cache="no-store")})
    with larder.client() as client:
        client.version = "HTTP/1.0"
        client.send("GET /ws HTTP/1.0\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        same(client.read_response().body, b"plain")
    same(origin.last().get("Upgrade"), None)


def test_early_bytes_come_after_the_101(t):
    """What the client sends behind its request waits for the 101, and is then the first of the tunnel."""
    gate, early = threading.Event(), []

    def behave(conn, request):
        conn.socket.settimeout(0.4)
        early.append(conn.recv())
        gate.set()
        conn.socket.settimeout(None)
        peer = server(conn, request)
        peer.send(peer.receive()[1] + b" back")
    _, larder = start(t, {"/ws": behave})
    with larder.client() as client:
        response, peer = connect(client, extra=frame(b"early"))
        same(response.status, 101)
        same(peer.receive()[1], b"early back")
    same(early, [False], "bytes reached the origin before its 101")


def test_bytes_with_the_101_reach_the_client(t):
    """The origin speaks first, in the same packet; the client gets head and bytes."""
    def behave(conn, request):
        peer = server(conn, request, switch=frame(b"first", masked=False))
        peer.send(peer.receive()[1])
    _, larder = start(t, {"/ws": behave})
    with larder.client() as client:
        response, peer = connect(client)
        same((response.status, peer.receive()[1]), (101, b"first"))
        peer.send(b"second")
        same(peer.receive()[1], b"second")


def test_fields_of_the_101(t):
    """Its end-to-end fields are relayed, those of the origin's hop are not, and header rules apply."""
    def behave(conn, request):
        server(conn, request, headers=[("Sec-WebSocket-Protocol", "chat"), ("Set-Cookie", "a=b"), ("Keep-Alive", "timeout=5"),
                                       ("X-Gone", "1")])
        conn.recv()
    _, larder = start(t, {"/ws": behave}, site=ON + " header response remove X-Gone; header response set X-New yes;")
    with larder.client() as client:
        response, _ = connect(client)
        same([response.get(name) for name in ("Sec-WebSocket-Protocol", "Set-Cookie", "Keep-Alive", "X-Gone", "X-New")],
             ["chat", "a=b", None, None, "yes"])
        same((response.all("Connection"), response.all("Upgrade")), (["Upgrade"], ["websocket"]))
        same([response.get(name) for name in ("Content-Length", "Transfer-Encoding")], [None, None])


def other_protocol(conn, request):
    """Switches to `foo`, sends back what it gets in upper case, up to the client's end and its own last word."""
    conn.send(head(101, [("Connection", "upgrade"), ("Upgrade", "foo")]))
    conn.keep = False
    while True:
        conn.buffer = b""
        if not conn.recv():
            break
        conn.send(conn.buffer.upper())
    conn.send(b"(client ended)")


UPGRADE_FOO = "{method} /ws HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n{fields}\r\n"


def open_foo(client, method="GET", fields="", body=b""):
    client.send(UPGRADE_FOO.format(method=method, fields=fields).encode() + body)
    response = client.read_head()
    same(response.status, 101)
    return response


def test_half_close_by_the_client(t):
    """The client's end reaches the origin, which may still speak."""
    _, larder = start(t, {"/ws": other_protocol}, site="upgrade foo;")
    with larder.client() as client:
        open_foo(client)
        client.send("abc")
        client.half_close()
        while client.fill():
            pass
        same(client.buffer, b"ABC(client ended)")
    same(wait_for(larder.access_records, 5)[0]["aborted"], False)


def test_half_close_by_the_origin(t):
    """The origin's end reaches the client, which may still speak; its last bytes and end arrive."""
    got = []

    def behave(conn, _request):
        conn.send(head(101, [("Connection", "upgrade"), ("Upgrade", "foo")]) + b"bye")
        conn.socket.shutdown(socket.SHUT_WR)
        conn.keep = False
        while conn.recv():
            pass
        got.append(conn.buffer)
    _, larder = start(t, {"/ws": behave}, site="upgrade foo;")
    for late in (0, 0.3):
        with larder.client() as client:
            open_foo(client)
            while client.fill():
                pass
            same(client.buffer, b"bye")
            client.send("still here, ")
            settle(late)
            client.socket.sendall(content("tail", 3 * MB))
            client.close()
        wait_for(lambda: got, 5, "the client's end at the origin")
        same(got.pop() == b"still here, " + content("tail", 3 * MB), True, "the client's last bytes")
    same([record["aborted"] for record in wait_for(lambda: len(larder.access_records()) == 2 and larder.access_records())],
         [False, False])


def test_resets_pass_through(t):
    """Who is cut off on one side is so on the other, with a reset."""
    seen = []

    def behave(conn, _request):
        conn.send(head(101, [("Connection", "upgrade"), ("Upgrade", "foo")]))
        conn.keep = False
        if conn.read_some(1) == b"r":
            conn.reset()
            conn.socket.close()
            raise Closed()
        conn.send("x")
        try:
            seen.append(conn.socket.recv(10))
        except ConnectionResetError:
            seen.append("reset")
    _, larder = start(t, {"/ws": behave}, site="upgrade foo;")
    with larder.client() as client:
        open_foo(client)
        client.send("r")
        try:
            same(client.socket.recv(10), "a reset")
        except ConnectionResetError:
            pass
    with larder.client() as client:
        open_foo(client)
        client.send("c")
        same(client.socket.recv(1), b"x")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    wait_for(lambda: seen, 5, "the end at the origin")
    same(seen, ["reset"])
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 0, 5)


def test_request_with_a_body(t):
    """The body comes first and whole, framed as always; then the tunnel."""
    bodies = []

    def behave(conn, request):
        bodies.append(conn.read_body(request))
        other_protocol(conn, request)
    behave.reads_body = True
    _, larder = start(t, {"/ws": behave}, site="upgrade foo;")
    for fields, body in (("Content-Length: 5\r\n", b"12345"),
                         ("Transfer-Encoding: chunked\r\n", b"5\r\n12345\r\n0\r\n\r\n"),
                         ("Content-Length: 20000\r\n", content("x", 20000))):
        with larder.client() as client:
            open_foo(client, "POST", fields, body + b"abc")
            client.half_close()
            while client.fill():
                pass
            same(client.buffer, b"ABC(client ended)", fields)
    same(bodies == [b"12345", b"12345", content("x", 20000)], True)


def test_101_before_the_body_is_refused(t):
    """The origin may not switch while the request is still under way (7.8)."""
    def behave(conn, _request):
        conn.send(head(101, [("Connection", "upgrade"), ("Upgrade", "foo")]))
        conn.is_dropped(5)
        conn.keep = False
    behave.reads_body = True
    _, larder = start(t, {"/ws": behave}, site="upgrade foo;")
    with larder.client() as client:
        client.send(UPGRADE_FOO.format(method="POST", fields="Content-Length: 10\r\n") + "12345")
        same(client.read_response().status, 502)


@slow(120)
def test_back_pressure_both_ways(t):
    """Who does not read holds the other up; memory stays bounded; then all of it arrives."""
    total, piece = 64 * MB, content("piece", 64 << 10)
    gates = {"read": threading.Event()}
    sent, got = [0], [0]

    def behave(conn, _request):
        conn.send(head(101, [("Connection", "upgrade"), ("Upgrade", "foo")]))
        conn.keep = False

        def write():
            while sent[0] < total:
                conn.socket.sendall(piece)
                sent[0] += len(piece)
            conn.socket.shutdown(socket.SHUT_WR)
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        gates["read"].wait(60)
        while True:
            data = conn.socket.recv(MB)
            if not data:
                break
            got[0] += len(data)
        writer.join(60)
    _, larder = start(t, {"/ws": behave}, site="upgrade foo;")
    before = larder.rss_bytes()
    with larder.client(receive_buffer=65536, timeout=2) as client:
        open_foo(client)
        pushed = 0
        try:
            while pushed < total:
                pushed += client.socket.send(piece)
        except socket.timeout:
            pass
        wait_for(lambda: sent[0] > 0, 5)
        last = -1
        while sent[0] != last:
            last = sent[0]
            time.sleep(0.5)
        assert pushed < 32 * MB and sent[0] < 32 * MB, f"{pushed >> 20} MB and {sent[0] >> 20} MB went into nobody's hands"
        grown = larder.rss_bytes() - before
        assert grown < 24 * MB, f"memory grew by {grown >> 20} MB"
        gates["read"].set()
        client.socket.settimeout(60)

        def push():
            nonlocal pushed
            while pushed < total:
                pushed += client.socket.send(piece[:total - pushed])
            client.half_close()
        pusher = threading.Thread(target=push, daemon=True)
        pusher.start()
        have = len(client.buffer)
        while True:
            data = client.socket.recv(MB)
            if not data:
                break
            have += len(data)
        pusher.join(60)
        same(have, total)
    wait_for(lambda: got[0] == total, 20, "all bytes at the origin")


def test_idle_tunnels_end(t):
    """Silence in both directions for tunnel_idle ends it; a byte in either direction does not let it."""
    _, larder = start(t, {"/ws": other_protocol}, site="upgrade foo; tunnel_idle 6s;",
                      timeouts="connect=2s first_byte=2s idle=2s")
    with larder.client() as client:
        open_foo(client)
        for _ in range(3):
            settle(2.6)
            began = time.monotonic()
            client.send("a")
            same(client.socket.recv(1), b"A")
        assert client.is_closed(40)
        took = time.monotonic() - began
        assert took > 5.9, f"ended after {took:.1f} s"


def test_drain_ends_tunnels(t):
    """A daemon that stops gives them the time of limits.drain, and no more."""
    _, larder = start(t, {"/ws": other_protocol}, site="upgrade foo;", limits="drain 5s;")
    with larder.client() as client:
        open_foo(client)
        larder.signal(15)
        settle(0.3)
        client.send("a")
        same(client.socket.recv(1), b"A", "still served while draining")
        assert client.is_closed(30)
    same(larder.wait(), 0)
    larder.process = None


def test_many_small_ones(t):
    """Two hundred at once, idle between messages: little memory each, all counted."""
    origin, larder = start(t, {"/ws": other_protocol}, site="upgrade foo;")
    clients = []
    try:
        for _ in range(20):
            clients.append(larder.client())
            open_foo(clients[-1])
        before = larder.rss_bytes()
        for _ in range(180):
            clients.append(larder.client())
            open_foo(clients[-1])
        for client in clients:
            client.send("x" * 20000)
            same(client.read_some(20000), b"X" * 20000)
        if not larder.is_sanitized():
            each = (larder.rss_bytes() - before) // 180
            assert each < 60000, f"{each} bytes each"
        wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 200, 10, "two hundred tunnels")
        metrics = larder.metrics()
        same(metrics["larder_tunnels_total"], 200)
        assert metrics['larder_connections{state="active"}'] >= 200
    finally:
        for client in clients:
            client.close()
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 0, 10)
    same(origin.errors, [])
