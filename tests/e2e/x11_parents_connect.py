"""CONNECT through parents: what they are asked, what becomes of each answer, early bytes, half-close, another parent."""
import socket
import threading
import time

from case import Client, free_port, same, settle, slow, wait_for
import tunnels
from tunnels import MB, Deaf, Server, ask, connect, echo, pattern, read_all, records, reset
from x10_parents import LOCAL, NAMES, pool, secret


def forward(t, block="", acl=NAMES, **words):
    return tunnels.forward(t, block, acl=acl, **words)


OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


def read_head(peer):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            return data, b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


class Parent(Server):
    """Keeps the heads it was sent; answers these bytes, and then behaves."""

    def __init__(self, t, answer=OPEN, then=echo):
        self.heads = []

        def serve(peer):
            head, rest = read_head(peer)
            self.heads.append(head)
            peer.sendall(answer)
            if rest:
                peer.sendall(rest)
            then(peer)
        super().__init__(t, serve)


def close(peer):
    peer.close()


def by(t, *parents, rest="", settings="", timeout="connect=5s first_byte=20s idle=20s", **words):
    """A Larder whose forward proxy goes through these."""
    return forward(t, f"upstream parents {rest};", extra=pool(*parents, settings=settings, timeout=timeout), **words)


def refused(larder, status, port=443, host="far.test"):
    with ask(larder, port, host=host) as client:
        response = client.read_response()
        same(response.status, status)
        assert client.is_closed()
        return response


def test_what_the_parent_is_asked(t):
    parent = Parent(t)
    larder = by(t, parent, rest="user=office password=secret")
    with ask(larder, 443, host="Far.test", fields=f"Proxy-Authorization: {secret('client:own')}\r\nX-Own: 1\r\n") as client:
        same(client.read_until(b"\r\n\r\n"), b"HTTP/1.1 200 Connection Established\r\n\r\n")
        client.send(b"ping")
        same(client.read_some(4), b"ping")
    head = parent.heads[0]
    assert head.startswith(b"CONNECT far.test:443 HTTP/1.1\r\nHost: far.test:443\r\n"), head
    same(head.count(b"Proxy-Authorization"), 1)
    assert f"Proxy-Authorization: {secret('office:secret')}\r\n".encode() in head, head
    assert b"X-Own" not in head and b"User-Agent" not in head, head
    record = records(larder, 1)[0]
    same((record["method"], record["host"], record["status"], record["origin"], record["reason"]),
         ("CONNECT", "far.test:443", 200, "parents/p0", "tunnel"))
    larder = by(t, parent, acl=LOCAL)
    with ask(larder, 80, host="[::1]") as client:
        same(client.read_head().status, 200)
    assert parent.heads[1].startswith(b"CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n"), parent.heads[1]


def test_both_ways(t):
    """Early bytes of both sides, half-closes, and megabytes, through a scripted parent."""
    server = Server(t)
    larder = by(t, server)
    with ask(larder, 443, host="far.test", early=b"early client ") as client:
        peer = server.next()
        head, rest = read_head(peer)
        same(rest, b"", "nothing is sent on before the parent has agreed")
        peer.sendall(OPEN + b"early server ")
        same(client.read_head().status, 200)
        same(client.read_some(13), b"early server ")
        big = pattern(3 * MB, 7)
        sender = threading.Thread(target=lambda: (client.send(big), client.half_close()))
        sender.start()
        same(read_all(peer), (b"early client " + big, "fin"))
        sender.join()
        threading.Thread(target=lambda: (peer.sendall(big), peer.close())).start()
        same(client.read_some(len(big)), big)
        assert client.is_closed()
    record = records(larder, 1)[0]
    assert record["bytes"] >= len(big) + 13 and record["received"] == len(big) + 13, record


def test_answers_in_pieces_and_interim_ones(t):
    def slowly(peer):
        for piece in (b"H", b"TTP/1.1 10", b"3 Early Hints\r\nLink: x\r\n", b"\r\nHTTP/1.1 20", b"1 Fine\r\nX: y\r", b"\n\r", b"\nabc"):
            peer.sendall(piece)
            settle(0.05)
        echo(peer)
    larder = by(t, Parent(t, b"", slowly))
    with connect(larder, 443, host="far.test") as client:
        same(client.read_some(3), b"abc")


def test_answers_that_are_none(t):
    """Each is an error of its own, once: with a single parent nobody is asked again."""
    for answer, then, status, error in (
            (b"", close, 502, "connection_terminated"), (b"", reset, 502, "connection_terminated"),
            (b"HTTP/1.1 200", close, 502, "connection_terminated"),
            (b"garbage garbage\r\n\r\n", close, 502, "http_protocol_error"), (b"\0\1\2", close, 502, "http_protocol_error"),
            (b"HTTP/1.1 200 OK\r\nA: b\r\n c: folded\r\n\r\n", close, 502, "http_protocol_error"),
            (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", close, 502, "http_protocol_error"),
            (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 20000, echo, 502, "http_protocol_error"),
            (b"HTTP/1.1 103 x\r\n\r\n" * 2000, echo, 502, "http_protocol_error"),
            (b"HTTP/1.1 404 x\r\nContent-Length: 3\r\n\r\nabc", close, 502, "destination_unavailable"),
            (b"HTTP/1.1 302 x\r\nLocation: http://evil/\r\n\r\n", close, 502, "destination_unavailable"),
            (b"HTTP/1.1 403 x\r\n\r\n", close, 403, "http_request_denied"),
            (b"HTTP/1.1 503 x\r\n\r\n", close, 503, "destination_unavailable"),
            (b"HTTP/1.1 504 x\r\n\r\n", close, 504, "connection_timeout"),
            (b"HTTP/1.1 508 x\r\n\r\n", close, 508, "proxy_loop_detected"),
            (b'HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm="p"\r\n\r\n', close, 502, "proxy_configuration_error")):
        parent = Parent(t, answer, then)
        larder = by(t, parent)
        response = refused(larder, status)
        assert error in response.get("Proxy-Status"), (answer[:60], response.headers)
        same(response.all("Proxy-Authenticate"), [])
        same(response.all("Location"), [])
        same(parent.count, 1, answer[:60])
        larder.stop()


def test_no_answer_in_time(t):
    parent = Parent(t, b"", lambda peer: peer.recv(1))
    larder = by(t, parent, timeout="connect=5s first_byte=2s idle=20s")
    began = time.monotonic()
    response = refused(larder, 504)
    assert time.monotonic() - began > 1.9
    assert "http_response_timeout" in response.get("Proxy-Status"), response.headers
    larder = by(t, Deaf(t), timeout="connect=1s first_byte=20s idle=20s")
    response = refused(larder, 504)
    assert "connection_timeout" in response.get("Proxy-Status") and b"parent proxy" in response.body, response.body


def test_another_parent(t):
    good = Parent(t)
    for bad in (free_port(), Parent(t, b"", close), Parent(t, b"nonsense", close)):
        larder = by(t, bad, good, settings="eject off; retry 2 budget=100%;")
        for _ in range(4):
            with connect(larder, 443, host="far.test") as client:
                client.send(b"x")
                same(client.read_some(1), b"x")
        same({record["origin"] for record in records(larder, 4)}, {"parents/p1"})
        larder.stop()


def test_one_destination_one_parent(t):
    parents = [Parent(t, OPEN, close) for _ in range(3)]
    larder = by(t, *parents, settings="balance hash url;")
    for number in range(12):
        for _ in range(2):
            connect(larder, 443, host=f"h{number}.test").close()
    seen = [sorted(head.split(b" ")[1] for head in parent.heads) for parent in parents]
    assert all(seen), seen
    for hosts in seen:
        assert all(hosts.count(host) == 2 for host in hosts), seen


def test_a_tunnel_holds_its_place_at_the_parent(t):
    """`max` counts tunnels for as long as they are open, and health knows how they began."""
    parent = Parent(t)
    larder = forward(t, "upstream parents;",
                     extra=f"origins parents {{ server a http://127.0.0.1:{parent.port} max=1; queue size=0; }}")
    first = connect(larder, 443, host="a.test")
    _, pools = larder.api("/api/v1/origins")
    same([entry["active"] for entry in pools["pools"] if entry["name"] == "parents"], [1])
    response = refused(larder, 503)
    assert "connection_limit_reached" in response.get("Proxy-Status"), response.headers
    first.close()
    wait_for(lambda: [entry["active"] for entry in larder.api("/api/v1/origins")[1]["pools"]
                      if entry["name"] == "parents"] == [0], 5, "its place")
    connect(larder, 443, host="a.test").close()


def test_none_else(t):
    server = Server(t, echo)
    larder = by(t, free_port(), acl=LOCAL)
    response = refused(larder, 502, port=server.port, host="127.0.0.1")
    assert "connection_refused" in response.get("Proxy-Status") and b"parent proxy refuses" in response.body, response.body
    same(server.count, 0, "nobody went around the parents")
    for parent in (free_port(), Parent(t, b"", close)):
        larder = by(t, parent, rest="user=a password=b else=direct", acl=LOCAL)
        with connect(larder, server.port) as client:
            client.send(b"x")
            same(client.read_some(1), b"x")
        assert "parents" not in records(larder, 1)[0]["origin"]
        wait_for(lambda: "parents_bypassed" in larder.output(), 5, "the log")
        larder.stop()
    larder = by(t, Parent(t, b"HTTP/1.1 403 no\r\n\r\n", close), rest="else=direct", acl=LOCAL)
    refused(larder, 403, port=server.port, host="127.0.0.1")


def test_by_destination(t):
    parent, server = Parent(t), Server(t, echo)
    larder = forward(t, "rule host 127.0.0.2 { upstream parents; }", extra=pool(parent), acl=LOCAL)
    connect(larder, 443, host="127.0.0.2").close()
    connect(larder, server.port).close()
    wait_for(lambda: (len(parent.heads), server.count) == (1, 1), 10, "one by the parent, one without")


def test_clients_that_leave(t):
    """Before the parent has answered: its connection goes too, and its place is free."""
    server = Server(t)
    larder = by(t, server)
    client = ask(larder, 443, host="far.test")
    peer = server.next()
    read_head(peer)
    client.close()
    same(peer.recv(1), b"")
    wait_for(lambda: [entry["active"] for entry in larder.api("/api/v1/origins")[1]["pools"]
                      if entry["name"] == "parents"] == [0], 5, "its place")


@slow(60)
def test_a_chain_of_larders(t):
    """Tunnels through two of them, with TLS inside for all they know; circles end."""
    server = Server(t, echo)
    parent = forward(t, acl=LOCAL)
    child = forward(t, "upstream parents;", extra=pool(parent.proxy_port), acl=LOCAL)
    with connect(child, server.port) as client:
        data = pattern(2 * MB, 3)
        threading.Thread(target=client.send, args=(data,)).start()
        same(client.read_some(len(data)), data)
    same(records(child, 1)[0]["origin"], "parents/p0")
    for identity in ("", "identity forward;"):
        port = free_port()
        larder = t.larder(start=False)
        larder.proxy_port = port
        larder.write_config(extra=f"listen 127.0.0.1:{port} {{ forward office; }}\n"
                                  f"forward office {{ {NAMES} {identity} upstream http://127.0.0.1:{port}; }}")
        larder.start()
        refused(larder, 508)
