"""Clients that take all the time there is: cut off in time, while others are served as ever. With slowhttptest from Debian
for the attacks, and clients of our own for what must survive: those on slow lines, and those who wait for us."""
import re
import shutil
import socket
import subprocess
import threading
import time

from case import Client, Skip, content, reply, same, settle, slow, wait_for

BIG = content("/big", 4 << 20)


def attack(larder, target, *words, seconds=150, connections=150):
    """Starts slowhttptest. It ends by itself as soon as none of its connections is left."""
    program = shutil.which("slowhttptest")
    if program is None:
        raise Skip("slowhttptest is not installed")
    return subprocess.Popen([program, "-c", str(connections), "-r", "300", "-l", str(seconds), "-p", "3", "-v", "1",
                             "-u", f"http://127.0.0.1:{larder.port}{target}", *words],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


class Others(threading.Thread):
    """Everybody else: one hit after the other, each on a connection of its own, with its time."""

    def __init__(self, larder):
        super().__init__(daemon=True)
        self.larder, self.times, self.failed, self.stopping = larder, [], [], threading.Event()
        self.start()

    def run(self):
        while not self.stopping.is_set():
            begin = time.monotonic()
            try:
                if not self.larder.fetch("/small", timeout=20).is_hit:
                    self.failed.append("no hit")
            except OSError as error:
                self.failed.append(repr(error))
            self.times.append(time.monotonic() - begin)
            time.sleep(0.01)

    def end(self):
        self.stopping.set()
        self.join()
        assert not self.failed, f"{len(self.failed)} of {len(self.times)} requests of others failed: {self.failed[:3]}"
        return sorted(self.times)


def judge(larder, tool, limit_s, notices=True):
    """All connections of the attack are closed by us within the limit, and nobody else noticed. notices: the tool sees
    that itself, and ends (it does not when it reads slowly)."""
    others = Others(larder)
    start = time.monotonic()
    process = tool()
    most, now, served, beside = 0, 0, 0, 0
    while process.poll() is None and time.monotonic() - start < limit_s and (notices or now > 1 or most < 100):
        now = larder.metrics()['larder_connections{state="active"}']
        if now >= 100 and most < 100:
            served = len(others.times)
        most = max(most, now)
        if now >= 100:
            beside = len(others.times) - served
        time.sleep(0.1)
    took = time.monotonic() - start
    is_over = process.poll() is not None if notices else now <= 1
    if process.poll() is None:
        process.terminate()
    output = re.sub(r"\x1b\[[0-9;]*m", "", process.communicate()[0].decode("latin-1"))
    busy = others.end()
    assert is_over, f"connections of the attack are still open after {took:.1f} s:\n{output[-1500:]}"
    assert not notices or "No open connections left" in output, output[-1500:]
    assert most >= 100, f"the attack had no more than {most} connections: it shows nothing"
    assert beside >= 10, f"{beside} requests of others while a hundred of the attack's were open"
    # Who waited for one of them would wait for seconds.
    assert busy[len(busy) // 2] < 1, f"median {busy[len(busy) // 2]:.4f} s of {len(busy)} in {took:.1f} s"
    wait_for(lambda: larder.metrics()['larder_connections{state="active"}'] <= 1, 5, "their end")


def before_attack(t, **words):
    origin = t.origin({"/small": reply(b"small", cache="max-age=600"), "/big": reply(BIG, cache="max-age=600"),
                       "/post": reply(b"posted")})
    larder = t.larder(origin, **words)
    for path in ("/small", "/big"):
        larder.fetch(path)
        assert larder.fetch(path).is_hit
    return origin, larder


@slow(180)
def test_slow_heads(t):
    """Slowloris: a field line each second has the time of a head, and no more."""
    _, larder = before_attack(t, limits="head_timeout 5s;")
    judge(larder, lambda: attack(larder, "/small", "-H", "-i", "1", "-x", "10"), 60)
    assert larder.metrics()["larder_connections_timed_out_total"] >= 100


@slow(180)
def test_slow_bodies(t):
    """R-U-Dead-Yet: a few bytes of the body each second keep the silence short; the rate gives them away."""
    origin, larder = before_attack(t, limits="min_rate 1K; min_rate_over 5s;")
    judge(larder, lambda: attack(larder, "/post", "-B", "-i", "1", "-x", "10", "-s", "20000"), 60)
    values = larder.metrics()
    assert values["larder_connections_too_slow_total"] >= 100, values
    assert all(request.body == b"" or len(request.body) < 20000 for request in origin.requests)


@slow(180)
def test_slow_readers(t):
    """Slow read: tiny windows and a few bytes each second of a large hit."""
    _, larder = before_attack(t, limits="min_rate 1K; min_rate_over 5s;")
    judge(larder, lambda: attack(larder, "/big", "-X", "-n", "1", "-z", "32", "-w", "512", "-y", "1024", "-k", "3"), 60, notices=False)
    assert larder.metrics()["larder_connections_too_slow_total"] >= 100


def post(client, length, start=b""):
    client.send(b"POST /post HTTP/1.1\r\nHost: site.test\r\nContent-Length: %d\r\n\r\n" % length + start)


@slow(120)
def test_slow_line_survives(t):
    """A few times the least rate, in both directions, over many windows; and a pause in each window."""
    origin = t.origin({"/post": reply(lambda request: request.body), "/big": reply(BIG, cache="max-age=600")})
    larder = t.larder(origin, limits="min_rate 1K; min_rate_over 3s; body_timeout 20s; send_timeout 20s;")
    body = content("/post", 80000)
    with larder.client() as client:
        post(client, len(body))
        for at in range(0, len(body), 8000):
            client.send(body[at:at + 8000])
            settle(1.5)
        same(client.read_response().body, body)
    with larder.client(receive_buffer=4096) as client:
        client.request("/big")
        begin, got = time.monotonic(), 0
        while time.monotonic() - begin < 12:
            settle(0.5)
            got += len(client.socket.recv(8000))
        settle(0)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        client.socket.settimeout(20)
        while got < len(BIG):  # it has lost nothing for being slow
            data = client.socket.recv(1 << 20)
            assert data, f"cut after {got} bytes"
            got += len(data)
    same(larder.metrics()["larder_connections_too_slow_total"], 0)


@slow(90)
def test_waiting_for_us_is_not_slow(t):
    """An origin that takes the body late, or answers late, is no fault of the client's."""
    release = threading.Event()

    def late(conn, request):
        release.wait(60)
        body = conn.read_body(request)
        return reply(b"%d" % len(body))(conn, request)
    late.reads_body = True

    def pausing(conn, request):
        conn.send(b"HTTP/1.1 200 Thing\r\nContent-Length: 20\r\nCache-Control: no-store\r\n\r\n" + b"x" * 10)
        settle(8)
        conn.send(b"y" * 10)
    origin = t.origin({"/post": late, "/pause": pausing})
    larder = t.larder(origin, limits="min_rate 1K; min_rate_over 4s; body_timeout 5s; send_timeout 5s;",
                      timeouts="connect=5s first_byte=60s idle=60s")
    body = content("/post", 24 << 20)  # more than all buffers between the two hold
    with larder.client(timeout=40) as client:
        sender = threading.Thread(target=post, args=(client, len(body), body), daemon=True)
        sender.start()
        settle(9)
        release.set()
        same(client.read_response().body, b"%d" % len(body))
        sender.join()
    same(larder.fetch("/pause").body, b"x" * 10 + b"y" * 10)
    same(larder.metrics()["larder_connections_too_slow_total"], 0)


@slow(150)
def test_fast_start_buys_nothing(t):
    """A body that begins fast and then trickles is cut a window later; one response too. A reload changes the rate."""
    origin = t.origin({"/post": reply("x"), "/big": reply(BIG, cache="max-age=600")})
    larder = t.larder(origin, limits="min_rate 1K; min_rate_over 2s;")
    with larder.client() as client:
        post(client, 10 << 20, content("/post", 1 << 20))
        begin, is_cut = time.monotonic(), False
        try:
            while time.monotonic() - begin < 40:
                client.send(b"a" * 20)
                settle(0.2)
        except OSError:
            is_cut = True
        assert is_cut, "the body was not cut"
    with larder.client(receive_buffer=4096) as client:
        client.request("/big")
        client.read_some(300000)
        begin = time.monotonic()
        while time.monotonic() - begin < 40 and larder.metrics()["larder_connections_too_slow_total"] < 2:
            settle(0.3)
            try:
                client.socket.recv(20)
            except OSError:
                break
    wait_for(lambda: larder.metrics()["larder_connections_too_slow_total"] == 2, 10, "both cut for being slow")
    larder.write_config(limits="min_rate off;")
    larder.command("reload", check=0)
    with larder.client() as client:
        post(client, 200)
        for _ in range(20):
            client.send(b"a" * 10)
            settle(0.2)
        same(client.read_response().status, 200)


def test_requests_per_connection(t):
    """keepalive_requests: the last one says so, and the connection ends; live after a reload."""
    origin = t.origin(default=reply("x", cache="max-age=600"))
    larder = t.larder(origin, limits="keepalive_requests 3;")
    with larder.client() as client:
        for number in range(3):
            client.request("/a")
            response = client.read_response()
            same(response.get("Connection"), "close" if number == 2 else None, f"request {number}")
        assert client.is_closed()
    with larder.client() as client:  # pipelined: no more than three are answered
        client.send(b"GET /a HTTP/1.1\r\nHost: site.test\r\n\r\n" * 5)
        for _ in range(3):
            same(client.read_response().status, 200)
        assert client.is_closed()
    with larder.client() as client:
        client.request("/a")
        client.read_response()
        larder.write_config(limits="keepalive_requests off;")
        larder.command("reload", check=0)
        for _ in range(6):
            client.request("/a")
            same(client.read_response().get("Connection"), None)


def test_idle_make_room(t):
    """At the limit of connections the longest idle one goes for a new client, and nobody who is at something."""
    gate = threading.Event()

    def held(conn, request):
        gate.wait(60)
        reply("late", cache="no-store")(conn, request)
    origin = t.origin({"/wait": held}, default=reply("x", cache="max-age=600"))
    larder = t.larder(origin, limits="connections 8;", workers=1, timeouts="connect=5s first_byte=60s idle=60s")
    busy = larder.client()
    busy.request("/wait")
    half = larder.client()
    half.send(b"GET /half HTTP/1.1\r\nHost: si")
    idle = []
    for _ in range(6):
        idle.append(larder.client())
        idle[-1].request("/a")
        same(idle[-1].read_response().status, 200)
        settle(0.02)
    fresh = []
    for number in range(3):
        fresh.append(larder.client())
        fresh[-1].request("/a")
        same(fresh[-1].read_response().status, 200, f"new client {number}")
        assert idle[number].is_closed(), f"the idle connection {number} is still there"
    half.send(b"te.test\r\n\r\n")
    same(half.read_response().status, 200)
    gate.set()
    same(busy.read_response().status, 200)
    for client in idle[3:]:
        client.request("/a")
        same(client.read_response().status, 200)
    values = larder.metrics()
    same((values["larder_connections_made_room_total"], values["larder_connections_refused_total"]), (3, 0))
    for client in [busy, half, *idle, *fresh]:
        client.close()
    wait_for(lambda: larder.metrics()['larder_connections{state="idle"}'] == 0, 10, "the end of them")
    gate.clear()
    waiting = []
    for _ in range(8):
        waiting.append(Client(larder.port))
        waiting[-1].request("/wait")
    wait_for(lambda: larder.metrics()['larder_connections{state="active"}'] == 8, 5, "eight that wait")
    with larder.client() as client:
        assert client.is_closed(), "the ninth got in"
    gate.set()
    for client in waiting:
        with client:
            same(client.read_response().status, 200)
