"""Tunnels under bandwidths and quotas; how many connections a client may have, tunnels among them."""
import socket
import threading
import time

from case import Closed, content, reply, same, settle, wait_for
from paced import Meter, at_most, even, forward, paced, text, url

MIB = 1 << 20
BIG = content("/big", 16 * MIB)
ORIGIN = {"/big": reply(BIG, cache="max-age=600"), "/small": reply(b"small", cache="max-age=600")}
ME, OTHER = "127.0.0.2", "127.0.0.3"


class Server:
    """A plain TCP server: `serve` gets each connection."""

    def __init__(self, t, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        self.count = 0
        threading.Thread(target=self.run, daemon=True).start()
        t.undo.append(self.listener.close)

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(sock,), daemon=True).start()

    def one(self, sock):
        try:
            with sock:
                self.serve(self, sock)
        except OSError:
            pass


def pour(_, sock):
    while True:
        sock.sendall(BIG[:65536])


def drink(server, sock):
    while True:
        data = sock.recv(65536)
        if not data:
            return
        server.count += len(data)


def echo(server, sock):
    while True:
        data = sock.recv(65536)
        if not data:
            return
        server.count += len(data)
        sock.sendall(data)


def tunnel(larder, port, source=ME):
    """An open tunnel, or the answer that says why not."""
    client = larder.client(source=source, timeout=20)
    client.request(f"127.0.0.1:{port}", "CONNECT", host=f"127.0.0.1:{port}")
    answer = client.read_head()
    if answer.status != 200:
        client.read_body(answer)
        client.close()
        return answer
    return client


def take(client, seconds):
    """How many bytes came, and when the last were asked for."""
    count = len(client.buffer)
    client.socket.settimeout(0.2)
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        try:
            data = client.socket.recv(65536)
        except TimeoutError:
            continue
        except ConnectionResetError:
            break
        if not data:
            break
        count += len(data)
        last = now
    return count, last


def test_tunnel_down_and_up(t):
    """Both directions of tunnels go at their rates, and share them with other tunnels and requests of the client."""
    server, sink = Server(t, pour), Server(t, drink)
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 500K/s down key=client name=down; bandwidth 300K/s up name=up;")
    began = time.monotonic()
    client = tunnel(larder, server.port)
    count, last = take(client, 4)
    paced(count, 500 * 1024, time.monotonic() - began, "down")
    meter = Meter(larder, url(origin, "/big"), ME).begin(4)
    beside, _ = take(client, 4)
    other = meter.end()
    paced(beside + other, 500 * 1024, time.monotonic() - last, "a tunnel and a response")
    even([beside, other], "a tunnel and a response")
    client.close()
    began, sent = time.monotonic(), 0
    up = tunnel(larder, sink.port)
    up.socket.settimeout(1)
    while time.monotonic() - began < 4:
        try:
            sent += up.socket.send(BIG[:16384])
        except TimeoutError:
            pass
    paced(sink.count, 300 * 1024, time.monotonic() - began, "up")
    up.close()
    began = time.monotonic()
    other = tunnel(larder, server.port, OTHER)
    paced(take(other, 3)[0], 500 * 1024, time.monotonic() - began, "another client")
    other.close()


def test_paused_tunnel_is_not_idle(t):
    """A tunnel that our own rate keeps waiting longer than tunnel_idle lives."""
    server = Server(t, echo)
    larder = forward(t, None, "bandwidth 1K/s burst=4K; tunnel_idle 2s;")
    tunnels = [tunnel(larder, server.port) for _ in range(5)]  # turns of half a second each
    for each in tunnels:
        each.send(BIG[:3000])
        each.socket.settimeout(120)
    client, *others = tunnels
    same(client.read_some(3000), BIG[:3000])
    for each in [client, *others]:
        each.close()


def test_quota_in_the_middle_of_a_tunnel(t):
    """Bytes count while they flow; used up, the tunnel is cut there, and the next one is refused."""
    server = Server(t, echo)
    larder = forward(t, None, "quota 1M per=month key=client; bandwidth 800K/s;")
    client = tunnel(larder, server.port)
    client.send(BIG[:65536])
    same(client.read_some(65536), BIG[:65536])
    wait_for(lambda: any("127.0.0.2" in line for line in quota_lines(larder)), 8, "the account in the file")
    sent, got = 65536, 65536
    client.socket.settimeout(60)
    try:
        while True:
            client.send(BIG[:32768])
            sent += 32768
            data = client.read_some(32768)
            got += len(data)
            if client.ended:
                break
    except OSError:
        pass
    assert MIB - 80000 <= sent + got <= MIB + 80000, (sent, got)
    answer = tunnel(larder, server.port)
    same(answer.status, 403)
    assert b"is used up" in answer.body, answer.body
    records = wait_for(lambda: [r for r in larder.access_records() if r["method"] == "CONNECT"][1:], 5, "records")
    same([(r["status"], r["reason"]) for r in [q for q in larder.access_records() if q["method"] == "CONNECT"]],
         [(200, "quota"), (403, "quota")])
    assert records
    other = tunnel(larder, server.port, OTHER)
    other.send(b"hello")
    same(other.read_some(5), b"hello")
    other.close()


def quota_lines(larder):
    import os
    path = os.path.join(larder.folder, "state", "quotas")
    return open(path, encoding="ascii").read().splitlines() if os.path.exists(path) else []


def test_tunnel_counted_over_kill(t):
    """A tunnel that is open when the process is killed has counted, but for the last seconds."""
    server = Server(t, echo)
    larder = forward(t, None, "quota 1M per=month key=client;")
    client = tunnel(larder, server.port)
    client.send(BIG[:400000])
    same(client.read_some(400000), BIG[:400000])
    wait_for(lambda: any(line.endswith(" 400000") for line in quota_lines(larder)), 8, "the account in the file")
    larder.kill()
    client.close()
    larder.start()
    client = tunnel(larder, server.port)
    client.send(BIG[:200000])
    got = len(client.read_some(200000))
    # 1 MiB less 800,000 before, half of it each way, and what a turn may take too much.
    assert got < 124288 + 65536 and client.ended, got
    client.close()
    same(tunnel(larder, server.port).status, 403)


def test_throttled_tunnel(t):
    """Used up in the middle, it goes on slowly."""
    server = Server(t, pour)
    larder = forward(t, None, "quota 2M per=month count=down action=throttle:200K/s;")
    began = time.monotonic()
    client = tunnel(larder, server.port)
    count, _ = take(client, 4)
    paced(count, 200 * 1024, time.monotonic() - began, free=2 * MIB + 131072)  # a turn of each side may pass it
    count += take(client, 3)[0]
    at_most(count, 200 * 1024, time.monotonic() - began, free=2 * MIB + 131072)
    client.close()


def upgraded(larder, origin, source=ME):
    client = larder.client(source=source, timeout=30)
    client.request(url(origin, "/ws"), headers=[("Connection", "Upgrade"), ("Upgrade", "raw")])
    same(client.read_head().status, 101)
    return client


def switch(behave):
    def serve(conn, _):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n")
        try:
            behave(conn)
        except (OSError, Closed):
            pass
        conn.close()
    return serve


def pour_ws(conn):
    while True:
        conn.send(BIG[:65536])


def echo_ws(conn):
    while conn.buffer or conn.recv():
        data, conn.buffer = conn.buffer, b""
        conn.send(data)


def test_upgraded_connections(t):
    """A connection that an origin has switched to another protocol is paced and counted both ways, is not idle while our
    own pace keeps it silent, and is cut when a quota is used up."""
    origin = t.origin({"/ws": switch(pour_ws)})
    larder = forward(t, origin, "bandwidth 400K/s; upgrade raw; tunnel_idle 2s;")
    began = time.monotonic()
    client = upgraded(larder, origin)
    paced(take(client, 4)[0], 400 * 1024, time.monotonic() - began, "down")
    client.close()
    origin.routes["/ws"] = switch(echo_ws)
    larder.write_config(sites=text("bandwidth 1K/s burst=4K; upgrade raw; tunnel_idle 2s;"))
    larder.command("reload", check=0)
    clients = [upgraded(larder, origin, OTHER) for _ in range(5)]
    for client in clients:
        client.send(BIG[:3000])
    clients[0].socket.settimeout(120)
    same(clients[0].read_some(3000), BIG[:3000])
    for client in clients:
        client.close()
    larder.write_config(sites=text("quota 1M per=month; upgrade raw;"))
    larder.command("reload", check=0)
    client = upgraded(larder, origin)
    client.send(BIG[:2 * MIB])
    got = len(client.read_some(2 * MIB))
    assert got < MIB and client.ended, got
    same(larder.fetch(url(origin, "/ws"), source=ME).status, 403)
    client.close()


# ---- connections

def test_connections_with_tunnels(t):
    """Three at a time, through however many workers, kept ones, tunnels and requests under way alike; the fourth gets 503
    and is closed; one that ends makes room; 127.0.0.9 is exempt; a request on a connection that is in goes on."""
    server = Server(t, echo)
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "limit connections 3; limit except 127.0.0.9;", workers=4)
    first = tunnel(larder, server.port)
    kept = [larder.client(source=ME) for _ in range(2)]
    for client in kept:
        for _ in range(3):
            client.request(url(origin, "/small"))
            same(client.read_response().status, 200)
    for _ in range(4):
        late = larder.client(source=ME)
        late.request(url(origin, "/small"))
        answer = late.read_response()
        same((answer.status, answer.get("Connection"), answer.get("Retry-After")), (503, "close", "1"))
        assert late.is_closed()
        late.close()
    same(tunnel(larder, server.port).status, 503)
    other = tunnel(larder, server.port, OTHER)
    other.close()
    exempt = [tunnel(larder, server.port, "127.0.0.9") for _ in range(5)]
    first.send(b"still")
    same(first.read_some(5), b"still")
    first.close()
    again = wait_for(lambda: (lambda c: c if not hasattr(c, "status") else None)(tunnel(larder, server.port)), 3, "room")
    same(tunnel(larder, server.port).status, 503)
    kept[0].close()
    wait_for(lambda: larder.fetch(url(origin, "/small"), source=ME).status == 200, 3, "room again")
    for client in [again, kept[1], *exempt]:
        client.close()
    metrics = larder.metrics()
    assert metrics['larder_limited_total{site="forward:office",limit="connections"}'] >= 6
    records = wait_for(lambda: [r for r in larder.access_records() if r["status"] == 503], 5, "the log")
    same({(r["result"], r["reason"]) for r in records}, {("denied", "limit_connections")})


def test_connections_across_reload(t):
    """A connection holds its place over reloads and gives it back once."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "limit connections 1;", workers=3)
    client = larder.client(source=ME)
    client.request(url(origin, "/small"))
    same(client.read_response().status, 200)
    for _ in range(3):
        larder.command("reload", check=0)
        same(larder.fetch(url(origin, "/small"), source=ME).status, 503)
        client.request(url(origin, "/small"))
        same(client.read_response().status, 200)
    larder.write_config(sites=text("limit connections 2;"))
    larder.command("reload", check=0)
    same(larder.fetch(url(origin, "/small"), source=ME).status, 200)
    client.close()
    for _ in range(3):
        settle(0.2)
        same(larder.fetch(url(origin, "/small"), source=ME).status, 200)


def test_requests_and_concurrency_of_connect(t):
    """CONNECT is limited as any request; a tunnel is under way until it ends."""
    server = Server(t, echo)
    larder = forward(t, None, "limit requests 1/m burst=3; limit concurrent 2;")
    clients = [tunnel(larder, server.port) for _ in range(2)]
    assert not any(hasattr(client, "status") for client in clients)
    same(tunnel(larder, server.port).status, 503)
    clients[0].close()
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 1, 10, "its end")
    settle(0.3)
    third = tunnel(larder, server.port)
    assert not hasattr(third, "status"), third
    third.close()
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 1, 10, "its end")
    settle(0.3)
    same(tunnel(larder, server.port).status, 429)
    clients[1].close()
