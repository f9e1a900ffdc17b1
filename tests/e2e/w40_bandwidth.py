"""Bandwidth of a forward proxy: how fast hits, misses, uploads and tunnels go, shared by whom, and at nobody else's cost."""
import time

from case import content, reply, same, settle, slow, wait_for
from paced import Meter, at_most, even, forward, paced, text, url

MIB = 1 << 20
BIG = content("/big", 8 * MIB)
ORIGIN = {"/big": reply(BIG, cache="max-age=600"), "/miss": reply(BIG, cache="no-store"),
          "/chunks": reply(BIG[:MIB], cache="no-store", chunked=True), "/small": reply(b"small", cache="max-age=600")}


def warm(larder, target):
    same(len(larder.fetch(target, source="127.0.0.99").body), len(BIG))


def test_hit_shared_by_connections_and_workers(t):
    """Four connections of a client over four workers have the rate together and share it evenly; another client has
    its own; one that is excepted has none."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 400K/s key=client except 127.0.0.99;", workers=4)
    warm(larder, url(origin, "/big"))
    began = time.monotonic()
    mine = [Meter(larder, url(origin, "/big"), "127.0.0.2").begin(4) for _ in range(4)]
    other = Meter(larder, url(origin, "/big"), "127.0.0.3").begin(4)
    got = [meter.end() for meter in mine]
    paced(sum(got), 400 * 1024, time.monotonic() - began, "four connections together")
    even(got, "each of them")
    beside = other.end()
    paced(beside, 400 * 1024, other.took, "another client")
    assert beside > sum(got) / 2, (beside, got, "it shares with the four")
    began = time.monotonic()
    warm(larder, url(origin, "/big"))
    assert time.monotonic() - began < 18, "who is excepted is slowed: it would take 20 s"
    metrics = larder.metrics()
    assert metrics['larder_bandwidth_waits_total{site="forward:office",limit="bandwidth_client"}'] > 10, metrics
    assert 'larder_limited_total{site="forward:office",limit="bandwidth_client"}' not in metrics


def test_miss_and_chunks(t):
    """What comes from the origin is held to the same rate, whole and byte for byte."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 600K/s down;")
    miss = Meter(larder, url(origin, "/miss")).begin(4)
    paced(miss.end(), 600 * 1024, miss.took, "a miss")
    settle(1)
    began = time.monotonic()
    with larder.client() as client:
        client.request(url(origin, "/chunks"))
        answer = client.read_response()
    assert answer.complete and answer.body == BIG[:MIB]
    paced(MIB, 600 * 1024, time.monotonic() - began, "a chunked MiB")


def test_large_rates(t):
    """A rate that needs more than a turn each round of the loop: what is allowed is reached."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 20M/s;")
    big = content("/40M", 40 * MIB)
    origin.routes["/40M"] = reply(big, cache="max-age=60")
    same(len(larder.fetch(url(origin, "/40M"), source="127.0.0.9").body), len(big))
    began = time.monotonic()
    same(len(larder.fetch(url(origin, "/40M")).body), len(big))
    paced(40 * MIB, 20 * MIB, time.monotonic() - began)


def test_upload(t):
    """What a client sends is taken at the rate; the answer is not slowed by `up`."""
    origin = t.origin({"/up": lambda conn, request: reply(str(len(request.body)))(conn, request), **ORIGIN})
    larder = forward(t, origin, "bandwidth 500K/s up key=client;")
    body = BIG[:1536 * 1024]
    began = time.monotonic()
    answer = larder.fetch(url(origin, "/up"), "POST", body=body, timeout=60)
    took = time.monotonic() - began
    same((answer.status, answer.body), (200, str(len(body)).encode()))
    paced(len(body), 500 * 1024, took, "the upload")
    same(origin.last("/up").body, body)
    began = time.monotonic()
    same(len(larder.fetch(url(origin, "/big")).body), len(BIG))
    assert time.monotonic() - began < 14, "it would take 16 s at that rate"


def test_both_count_together(t):
    """Without a word both directions share the rate: an upload and a download at the same time get half each."""
    origin = t.origin({"/up": reply(b"ok"), **ORIGIN})
    larder = forward(t, origin, "bandwidth 400K/s;")
    size = 800 * 1024
    began = time.monotonic()
    down = Meter(larder, url(origin, "/big")).begin(100)
    wait_for(lambda: down.count > 0, 20, "the download")
    before = down.count
    same(larder.fetch(url(origin, "/up"), "POST", body=BIG[:size], timeout=60).status, 200)
    beside = down.count - before
    down.finish()
    paced(size + down.end(), 400 * 1024, time.monotonic() - began, "both together")
    even([size, beside], "the upload and what was beside it")


def test_several_rates(t):
    """Every one counts: each client has its own, all together have one, and it is shared evenly."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 300K/s key=client; bandwidth 500K/s key=forward name=all;")
    one = Meter(larder, url(origin, "/big"), "127.0.0.2").begin(4)
    paced(one.end(), 300 * 1024, one.took, "one alone")
    began = time.monotonic()
    meters = [Meter(larder, url(origin, "/big"), f"127.0.0.{i}").begin(4) for i in (3, 4, 5)]
    got = [meter.end() for meter in meters]
    paced(sum(got), 500 * 1024, time.monotonic() - began, "three together")
    even(got, "each of them")


@slow(120)
def test_others_are_not_slowed(t):
    """Clients that wait for their rate keep nobody else waiting."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 1K/s burst=1K;", workers=1)
    warm_time(larder, origin)
    waiting = [Meter(larder, url(origin, "/big"), f"127.0.1.{i}").begin(300) for i in range(40)]
    wait_for(lambda: all(meter.status for meter in waiting), 20, "all of them")
    began = time.monotonic()
    for i in range(10):
        same(larder.fetch(url(origin, "/small"), source=f"127.0.2.{i}", timeout=100).body, b"small")
    assert time.monotonic() - began < 60, "they wait for forty turns of half a second, each"
    for meter in waiting:
        meter.finish()
    for meter in waiting:
        meter.end()


def warm_time(larder, origin):
    same(larder.fetch(url(origin, "/small")).body, b"small")


@slow(90)
def test_time_outs_do_not_fire(t):
    """A client that is made to wait by us is neither silent nor slow: with deadlines far below the pauses of its
    rate (turns of half a second, of six connections) all arrives, down and up, also with its side closed."""
    origin = t.origin({"/up": lambda conn, request: reply(str(len(request.body)))(conn, request),
                       "/half": reply(BIG[:3000], cache="no-store")})
    larder = forward(t, origin, "bandwidth 1K/s burst=1K;",
                     limits="send_timeout 1s; body_timeout 1s; min_rate 4K; min_rate_over 1s; client_idle 2s;")
    host = f"127.0.0.1:{origin.port}"
    heads = {"127.0.0.2": f"GET {url(origin, '/half')} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(),
             "127.0.0.3": f"POST {url(origin, '/up')} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3000\r\n\r\n".encode()
             + BIG[:3000]}
    began, clients = time.monotonic(), []
    for source, whole in heads.items():
        for _ in range(6):
            clients.append(larder.client(source=source, timeout=60))
            clients[-1].send(whole)  # in one piece: the client itself is silent nowhere
            if source == "127.0.0.2":
                clients[-1].half_close()
    for number, client in enumerate(clients):
        answer = client.read_response()
        assert answer.complete and answer.body == (BIG[:3000] if number < 6 else b"3000"), (number, answer)
        client.close()
    assert time.monotonic() - began > 15


@slow(120)
def test_waiting_for_a_turn_is_not_leaving(t):
    """Many connections of a client that has ended its side of each: they wait for their turns longer than one that is
    silent is believed to be there."""
    origin = t.origin({"/part": reply(BIG[:1500], cache="max-age=60")})
    larder = forward(t, origin, "bandwidth 1K/s burst=1K;")
    clients = [larder.client(source="127.0.0.2", timeout=60) for _ in range(16)]
    for client in clients:
        client.request(url(origin, "/part"))
        client.half_close()
    for client in clients:
        answer = client.read_response()
        assert answer.complete and answer.body == BIG[:1500], answer
        client.close()


@slow(90)
def test_slow_client_keeps_its_turn(t):
    """One that does not read holds up its own turn alone: another connection of the same client has the rest, and what
    was booked for one that is gone is given back."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 400K/s burst=400K;")  # a second without a turn is made up for
    stuck = larder.client(receive_buffer=4096)
    stuck.request(url(origin, "/miss"))
    same(stuck.read_head().status, 200)
    settle(8)
    began = time.monotonic()
    with larder.client() as client:
        client.request(url(origin, "/big"))
        same(client.read_head().status, 200)
        client.read_some(4 * MIB)
    took = time.monotonic() - began
    at_most(4 * MIB, 400 * 1024, took, free=400 * 1024)
    assert took < 17, took  # 9 s; with half of the rate 19
    stuck.close()


def test_reload_changes_the_rate(t):
    """Requests that come after a reload go at the new rate."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 200K/s;")
    meter = Meter(larder, url(origin, "/big")).begin(3)
    paced(meter.end(), 200 * 1024, meter.took, "the old rate")
    larder.write_config(sites=text("bandwidth 1M/s;"))
    larder.command("reload", check=0)
    meter = Meter(larder, url(origin, "/big")).begin(3)
    paced(meter.end(), MIB, meter.took, "the new rate")
    assert meter.count > 200 * 1024 * meter.took * 1.2, (meter.count, meter.took, "it is still the old one")
    larder.write_config(sites=text(""))
    larder.command("reload", check=0)
    began = time.monotonic()
    same(len(larder.fetch(url(origin, "/big")).body), len(BIG))
    assert time.monotonic() - began < 7, "it would take 8 s at that rate"
    assert larder.alive()


def test_published_sites_have_none(t):
    """A site beside a forward proxy is not paced, and knows no such words."""
    origin = t.origin({"/big": reply(BIG, cache="max-age=60")})
    larder = t.larder(origin, start=False)
    larder.write_config(site="bandwidth 10K/s;")
    answer = larder.cli("check", larder.config_path)
    same(answer.returncode, 1)
    assert "does not belong in site" in answer.stdout + answer.stderr, answer
    larder.write_config(site="limit requests 5/s key=user;")
    answer = larder.cli("check", larder.config_path)
    assert "does not say whose requests count" in answer.stdout + answer.stderr, answer
