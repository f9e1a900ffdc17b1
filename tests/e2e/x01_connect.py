"""CONNECT (RFC 9110 9.3.6): a connection to the server, and every byte both ways."""
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

from case import Client, Skip, die_with_parent, reply, same, settle, slow, wait_for
from tls import Authority, TlsOrigin
from tunnels import MB, Deaf, Server, ask, connect, echo, forward, pattern, read_all, records, reset


def test_curl_over_tls(t):
    """curl, told nothing but the proxy, gets a page by https with the origin's own certificate."""
    if shutil.which("curl") is None:
        raise Skip("curl is not installed")
    authority = Authority(t)
    origin = TlsOrigin(t, authority.issue("IP:127.0.0.1"), {"/page": reply(b"hello" * 10000)})
    larder = forward(t)
    for words in ([], ["--proxy1.0"]):
        proxy = [words[0] if words else "--proxy", f"http://127.0.0.1:{larder.proxy_port}"]
        done = subprocess.run(["curl", "-sS", "--noproxy", "", "--cacert", authority.path, *proxy,
                               f"https://127.0.0.1:{origin.port}/page"], capture_output=True, preexec_fn=die_with_parent)
        same((done.returncode, done.stderr), (0, b""))
        same(done.stdout, b"hello" * 10000)
    same(len(origin.requests), 2)
    assert all(b"Via" not in request.raw_head for request in origin.requests), "something was added inside of TLS"
    record = records(larder, 2)[0]
    same((record["method"], record["host"], record["status"], record["result"], record["reason"], record["aborted"]),
         ("CONNECT", f"127.0.0.1:{origin.port}", 200, "pass", "tunnel", False))
    assert record["bytes"] > 50000 and record["received"] > 100, record


def test_head(t):
    """The 200 has no field that speaks of content (RFC 9110 9.3.6), and no Via; also for HTTP/1.0."""
    server = Server(t, echo)
    larder = forward(t)
    for version in ("1.1", "1.0"):
        with ask(larder, server.port, version=version, fields="Proxy-Connection: Keep-Alive\r\n") as client:
            same(client.read_until(b"\r\n\r\n"), b"HTTP/1.1 200 Connection Established\r\n\r\n")
            client.send(b"ping")
            same(client.read_some(4), b"ping")


def test_early_data(t):
    """What the client sends behind its head without waiting is the server's, in order, whatever its size."""
    server = Server(t)
    larder = forward(t)
    for count in (1, 100, 3900, 4096, 70000, 2 * MB):
        early = pattern(count, 3)
        with ask(larder, server.port) as client:
            sender = threading.Thread(target=lambda: (client.send(early), client.send(b"more"), client.half_close()))
            sender.start()
            peer = server.next()
            same(read_all(peer), (early + b"more", "fin"), count)
            peer.sendall(b"answer")
            peer.close()
            sender.join()
            same(client.read_head().status, 200)
            same(read_all(client.socket) if not client.buffer else (client.read_some(6), "fin"), (b"answer", "fin"))
    with ask(larder, server.port, early=b"at once") as client:
        same(server.next().recv(100), b"at once")
        same(client.read_head().status, 200)


def test_half_close(t):
    """Each side ends by itself; the other direction goes on until its own end."""
    server = Server(t)
    larder = forward(t)
    with connect(larder, server.port) as client:
        peer = server.next()
        client.send(b"question")
        client.half_close()
        same(read_all(peer), (b"question", "fin"))
        for piece in (b"a", pattern(3 * MB, 5), b"z"):
            settle(0.05)
            threading.Thread(target=peer.sendall, args=(piece,)).start()
            same(client.read_some(len(piece)), piece)
        peer.close()
        same(read_all(client.socket), (b"", "fin"))
    with connect(larder, server.port) as client:
        peer = server.next()
        peer.sendall(b"greeting")
        peer.shutdown(socket.SHUT_WR)
        same(client.read_some(8), b"greeting")
        assert client.is_closed()
        for piece in (b"a", pattern(3 * MB, 7), b"z"):
            settle(0.05)
            sender = threading.Thread(target=client.send, args=(piece,))
            sender.start()
            got = b""
            while len(got) < len(piece):
                got += peer.recv(len(piece) - len(got))
            sender.join()
            assert got == piece
        client.half_close()
        same(read_all(peer), (b"", "fin"))
    done = records(larder, 2)
    same([(r["aborted"], r["received"]) for r in done], [(False, 8), (False, 3 * MB + 2)])


def test_reset(t):
    """A reset is passed on as one, and not as an end in good order; what came before it arrives."""
    server = Server(t)
    larder = forward(t)
    with connect(larder, server.port) as client:
        peer = server.next()
        peer.sendall(b"some")
        same(client.read_some(4), b"some")
        reset(peer)
        same(read_all(client.socket), (b"", "reset"))
    client = connect(larder, server.port)
    peer = server.next()
    client.send(b"some")
    same(peer.recv(4), b"some")
    reset(client.socket)
    same(read_all(peer), (b"", "reset"))
    # after one side's end in good order, too
    with connect(larder, server.port) as client:
        peer = server.next()
        client.half_close()
        same(read_all(peer), (b"", "fin"))
        reset(peer)
        same(read_all(client.socket), (b"", "reset"))
    client = connect(larder, server.port)
    peer = server.next()
    client.half_close()
    same(read_all(peer), (b"", "fin"))
    reset(client.socket)
    same(wait_for(lambda: sends_reset(peer), 5, "the reset"), True)
    same([r["aborted"] for r in records(larder, 4)], [True] * 4)


def sends_reset(peer):
    try:
        peer.sendall(b"x")
        return False
    except (ConnectionResetError, BrokenPipeError):
        return True


@slow(120)
def test_both_ways_at_once(t):
    """100 MB in each direction at the same time, in writes and reads of odd sizes, byte for byte."""
    server = Server(t)
    larder = forward(t, access="json")
    size = 100 * MB
    up, down = pattern(size, 11), pattern(size, 13)
    with connect(larder, server.port) as client:
        peer = server.next()
        threads = [threading.Thread(target=send, args=args) for args in ((client.socket, up, 70001), (peer, down, 1 << 18))]
        results = {}
        threads += [threading.Thread(target=receive, args=args)
                    for args in ((client.socket, results, "down", 1 << 17), (peer, results, "up", 33333))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for name, wanted in (("up", up), ("down", down)):
        same(results[name], (size, hashlib.sha256(wanted).hexdigest()), name)
    record = records(larder)[0]
    same((record["received"], record["aborted"]), (size, False))
    assert 0 < record["bytes"] - size < 100, record
    metrics = larder.metrics()
    for side in ("to_client", "to_origin"):
        same(metrics[f'larder_tunnel_bytes_total{{direction="{side}"}}'], size)
    same(metrics["larder_tunnels_total"], 1)
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 0, 10, "its end")


def send(peer, data, step):
    view = memoryview(data)
    for at in range(0, len(data), step):
        peer.sendall(view[at:at + step])
    peer.shutdown(socket.SHUT_WR)


def receive(peer, results, name, step):
    digest, count = hashlib.sha256(), 0
    while data := peer.recv(step):
        digest.update(data)
        count += len(data)
    results[name] = (count, digest.hexdigest())


def test_slow_reader(t):
    """Whoever reads nothing holds the other back: what we keep for him stays within a buffer."""
    server = Server(t)
    larder = forward(t)
    clients = [connect(larder, server.port, receive_buffer=8192) for _ in range(8)]
    peers = [server.next() for _ in clients]
    before, sent = larder.rss_bytes(), [0] * len(peers)
    for number, peer in enumerate(peers):
        peer.settimeout(1.5)
        try:
            while sent[number] < 64 * MB:
                sent[number] += peer.send(bytes(MB))
        except TimeoutError:
            pass
    assert max(sent) < 32 * MB, sent
    grown = larder.rss_bytes() - before
    assert grown < 8 * MB, (grown, sent)
    same(larder.metrics()["larder_tunnels_open"], 8)
    for number, client in enumerate(clients):
        peers[number].close()
        data, end = read_all(client.socket)
        same((len(data), end), (sent[number], "fin"))


def test_limits_of_time(t):
    """tunnel_idle counts silence in both directions, tunnel_time everything; then both sides are reset."""
    server = Server(t)
    larder = forward(t, "tunnel_idle 4s; tunnel_time 10s;")
    begin = time.monotonic()
    with connect(larder, server.port) as client, connect(larder, server.port) as busy:
        peer, busy_peer = server.next(), server.next()
        busy.send(b"x")
        for number in range(5):
            settle(1.2)
            busy_peer.sendall(b"x") if number % 2 else busy.send(b"x")
        same(read_all(client.socket), (b"", "reset"))
        same(read_all(peer), (b"", "reset"))
        try:
            while True:
                busy.send(b"x")
                settle(0.1)
                assert time.monotonic() - begin < 60, "tunnel_time did not end it"
        except (ConnectionResetError, BrokenPipeError):
            assert time.monotonic() - begin > 9.9
        same(read_all(busy_peer)[1], "reset")
    done = records(larder, 2)
    same([r["aborted"] for r in done], [True, True])
    times = sorted(r["total_s"] for r in done)
    assert 4 <= times[0] < 9.5 and times[1] >= 10, times


def fails(larder, port, status, error, host="127.0.0.1", **words):
    """The answer says why, and is the last on its connection."""
    with ask(larder, port, host=host, early=b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", **words) as client:
        response = client.read_response()
        same((response.status, response.get("Connection")), (status, "close"), response.raw_head)
        assert f"error={error}" in response.get("Proxy-Status", ""), response.raw_head
        assert client.is_closed(), "what follows a CONNECT was taken for a request"
    return response


def test_failures(t):
    """Refused, no answer, no name: 502 and 504 with Proxy-Status, and what follows is no request."""
    server = Server(t)
    larder = forward(t, "origins { timeout connect=1s; }")
    server.stop()
    fails(larder, server.port, 502, "connection_refused")
    begin = time.monotonic()
    fails(larder, Deaf(t).port, 504, "connection_timeout")
    assert time.monotonic() - begin > 0.9
    fails(larder, 443, 502, "dns_error", host="nowhere.invalid")
    done = records(larder, 3)
    same([(r["status"], r["result"], r["reason"]) for r in done],
         [(502, "error", "origin_error"), (504, "error", "origin_error"), (502, "error", "origin_error")])


def test_client_gone(t):
    """A client that leaves while we connect ends that; one that only half-closes gets its tunnel."""
    deaf = Deaf(t)
    larder = forward(t, "origins { timeout connect=5m; }")
    client = ask(larder, deaf.port)
    wait_for(lambda: connecting(larder, deaf.port) == 1, 5, "the attempt")
    reset(client.socket)
    wait_for(lambda: connecting(larder, deaf.port) == 0, 5, "its end")
    record = records(larder)[0]
    same((record["method"], record["aborted"]), ("CONNECT", True))
    client = ask(larder, deaf.port)
    wait_for(lambda: connecting(larder, deaf.port) == 1, 5, "the attempt")
    client.close()
    wait_for(lambda: connecting(larder, deaf.port) == 0, 20, "its end")
    server = Server(t, echo)
    with ask(larder, server.port, early=b"data") as client:
        client.half_close()
        same(client.read_head().status, 200)
        same(client.read_some(4), b"data")
        assert client.is_closed()


def connecting(larder, port):
    """Connections of this process to that port that do not stand yet."""
    own = {os.readlink(f"/proc/{larder.process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{larder.process.pid}/fd")
           if os.path.islink(f"/proc/{larder.process.pid}/fd/{fd}")}
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(1 for row in rows if row[3] == "02" and int(row[2].split(":")[1], 16) == port
               and f"socket:[{row[9]}]" in own)


def test_server_gone(t):
    """A server that resets at once, or ends at once, is a tunnel that ends so."""
    server = Server(t, lambda peer: reset(peer))
    larder = forward(t)
    for _ in range(20):
        with ask(larder, server.port, early=b"x") as client:
            head, end = read_all(client.socket)
            # by whether the reset came while we connected
            assert end == "reset" and head[9:12] in (b"", b"200") or head[9:12] == b"502", (head, end)
    server = Server(t, lambda peer: peer.close())
    with ask(larder, server.port) as client:
        head, end = read_all(client.socket)
        same((head, end), (b"HTTP/1.1 200 Connection Established\r\n\r\n", "fin"))


def test_not_everywhere(t):
    """CONNECT is for a forward proxy, names a port, and has no content."""
    server = Server(t, echo)
    larder = forward(t)
    with larder.client() as client:
        client.send(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n")
        same(client.read_response().status, 405)
        assert client.is_closed()
    for target, fields in (("127.0.0.1", ""), ("/", ""), (f"http://127.0.0.1:{server.port}/", ""), ("127.0.0.1:0", ""),
                           ("127.0.0.1:99999", ""), ("u@127.0.0.1:443", ""), ("127.0.0.1:443", "Content-Length: 5\r\n"),
                           ("127.0.0.1:443", "Transfer-Encoding: chunked\r\n")):
        with Client(larder.proxy_port) as client:
            client.send(f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
            response = client.read_response()
            same(response.status, 400, target)
            assert client.is_closed()


def test_no_content_said_aloud(t):
    """Some clients send Content-Length: 0 with CONNECT; what follows is the tunnel's."""
    server = Server(t, echo)
    larder = forward(t)
    with ask(larder, server.port, version="1.0", fields="Content-Length: 0\r\nPragma: no-cache\r\n", early=b"early") as client:
        same(client.read_head().status, 200)
        same(client.read_some(5), b"early")


def test_after_other_requests(t):
    """On a connection that has carried requests before, pipelined behind them, and with many at once."""
    server = Server(t, echo)
    origin = t.origin({"/a": reply("first")})
    larder = forward(t)
    with Client(larder.proxy_port) as client:
        client.version = "HTTP/1.1"
        client.send(f"GET http://127.0.0.1:{origin.port}/a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
                    f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\nhello")
        same(client.read_response().body, b"first")
        same(client.read_head().status, 200)
        same(client.read_some(5), b"hello")


def test_limits_of_clients(t):
    """A tunnel holds its place among concurrent requests and connections until it ends."""
    server = Server(t, echo)
    larder = forward(t, "limit concurrent 2; rule method CONNECT { limit requests 1/m burst=3; }",
                     limits="drain 2s; connections_per_client 3;")
    first, second = connect(larder, server.port), connect(larder, server.port)
    with ask(larder, server.port) as third:
        same(third.read_response().status, 503)
    first.close()
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 1, 5, "its end")
    first = connect(larder, server.port)
    with ask(larder, server.port) as third:
        same(third.read_response().status, 503)
        assert third.is_closed()
    wait_for(lambda: larder.metrics()['larder_connections{state="active"}'] +
             larder.metrics()['larder_connections{state="idle"}'] == 2, 10, "the end of that connection on the other side too")
    with Client(larder.proxy_port) as third, Client(larder.proxy_port) as fourth:
        # two workers accept: either may be the one too many
        closed = wait_for(lambda: [one for one in (third, fourth) if one.is_closed(0.2)], 5, "a refusal")
        same(len(closed), 1)
    first.close()
    second.close()
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 0, 5, "their end")
    with ask(larder, server.port) as late:
        same(late.read_response().status, 429)


def test_drain(t):
    """A tunnel is left alone by a reload, and at a stop has as long as `drain` says, then both sides are reset."""
    server = Server(t)
    larder = forward(t, limits="drain 6s;")
    with connect(larder, server.port) as client:
        peer = server.next()
        larder.command("reload", check=0)
        client.send(b"after")
        same(peer.recv(5), b"after")
        begin = time.monotonic()
        larder.signal(signal.SIGTERM)
        settle(0.5)
        client.send(b"drain")
        same(peer.recv(5), b"drain")
        same(read_all(client.socket), (b"", "reset"))
        same(read_all(peer), (b"", "reset"))
        assert time.monotonic() - begin > 5.9
        same(larder.wait(), 0)
    larder.process = None
    same(records(larder)[0]["aborted"], True)
    # one that ends in time ends the wait
    larder.write_config(larder.config().replace("drain 6s;", "drain 1h;"))
    larder.start()
    with connect(larder, server.port) as client:
        peer = server.next()
        larder.signal(signal.SIGTERM)
        settle(0.2)
        client.close()
        peer.close()
        same(larder.wait(), 0)
    larder.process = None
