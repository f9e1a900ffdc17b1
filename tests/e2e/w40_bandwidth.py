"""Bandwidth of a forward proxy: how fast hits, misses, uploads and tunnels go, shared by whom, and at nobody else's cost."""
import threading
import time

from case import content, reply, same, settle, slow, wait_for
from paced import Meter, forward, text, url, within

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
    took = time.monotonic() - began
    within(sum(got), 400 * 1024 * took, 0.15, "four connections together")
    for count in got:
        within(count, sum(got) / 4, 0.3, f"each of {got}")
    within(other.end(), 400 * 1024 * took, 0.15, "another client")
    began = time.monotonic()
    warm(larder, url(origin, "/big"))
    assert time.monotonic() - began < 8, "who is excepted is not slowed"
    metrics = larder.metrics()
    assert metrics['larder_bandwidth_waits_total{site="forward:office",limit="bandwidth_client"}'] > 20, metrics
    assert 'larder_limited_total{site="forward:office",limit="bandwidth_client"}' not in metrics


def test_miss_and_chunks(t):
    """What comes from the origin is held to the same rate, whole and byte for byte."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 600K/s down;")
    miss = Meter(larder, url(origin, "/miss")).begin(4)
    within(miss.end(), 4 * 600 * 1024, 0.15, "a miss")
    settle(1)
    began = time.monotonic()
    with larder.client() as client:
        client.request(url(origin, "/chunks"))
        answer = client.read_response()
    assert answer.complete and answer.body == BIG[:MIB]
    within(time.monotonic() - began, 1024 / 600, 0.2, "seconds of a chunked MiB")


def test_large_rates(t):
    """A rate that needs more than a turn each round of the loop: what is allowed is reached."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 20M/s;")
    big = content("/40M", 40 * MIB)
    origin.routes["/40M"] = reply(big, cache="max-age=60")
    same(len(larder.fetch(url(origin, "/40M"), source="127.0.0.9").body), len(big))
    began = time.monotonic()
    same(len(larder.fetch(url(origin, "/40M")).body), len(big))
    took = time.monotonic() - began
    assert 1.7 <= took <= (2.4 if not larder.is_sanitized() else 4), took


def test_upload(t):
    """What a client sends is taken at the rate; the answer is not slowed by `up`."""
    origin = t.origin({"/up": lambda conn, request: reply(str(len(request.body)))(conn, request), **ORIGIN})
    larder = forward(t, origin, "bandwidth 500K/s up key=client;")
    body = BIG[:1536 * 1024]
    began = time.monotonic()
    answer = larder.fetch(url(origin, "/up"), "POST", body=body)
    took = time.monotonic() - began
    same((answer.status, answer.body), (200, str(len(body)).encode()))
    within(took, 3.0, 0.15, "seconds of the upload")
    same(origin.last("/up").body, body)
    began = time.monotonic()
    same(len(larder.fetch(url(origin, "/big")).body), len(BIG))
    assert time.monotonic() - began < 5


def test_both_count_together(t):
    """Without a word both directions share the rate: an upload and a download at the same time get half each."""
    origin = t.origin({"/up": reply(b"ok"), **ORIGIN})
    larder = forward(t, origin, "bandwidth 400K/s;")
    down = Meter(larder, url(origin, "/big")).begin(4)
    began = time.monotonic()
    same(larder.fetch(url(origin, "/up"), "POST", body=BIG[:600 * 1024], timeout=30).status, 200)
    within(time.monotonic() - began, 3, 0.25, "seconds of the upload")
    within(down.end(), 4 * 400 * 1024 - 600 * 1024, 0.2, "beside it")


def test_several_rates(t):
    """Every one counts: each client has its own, all together have one, and it is shared evenly."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 300K/s key=client; bandwidth 500K/s key=forward name=all;")
    one = Meter(larder, url(origin, "/big"), "127.0.0.2").begin(4)
    within(one.end(), 4 * 300 * 1024, 0.15, "one alone")
    began = time.monotonic()
    meters = [Meter(larder, url(origin, "/big"), f"127.0.0.{i}").begin(4) for i in (3, 4, 5)]
    got = [meter.end() for meter in meters]
    took = time.monotonic() - began
    within(sum(got), took * 500 * 1024, 0.15, "three together")
    for count in got:
        within(count, sum(got) / 3, 0.3, f"each of {got}")


def test_others_are_not_slowed(t):
    """Clients that wait for their rate keep nobody else waiting."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 50K/s;", workers=1)
    warm_time(larder, origin)
    waiting = [Meter(larder, url(origin, "/big"), f"127.0.1.{i}").begin(3) for i in range(40)]
    settle(0.3)
    times = []
    for i in range(40):
        began = time.monotonic()
        same(larder.fetch(url(origin, "/small"), source=f"127.0.2.{i}").body, b"small")
        times.append(time.monotonic() - began)
    times.sort()
    assert times[30] < (0.05 if not larder.is_sanitized() else 0.2), times
    for meter in waiting:
        within(meter.end(), 150 * 1024, 0.25)


def warm_time(larder, origin):
    same(larder.fetch(url(origin, "/small")).body, b"small")


@slow(90)
def test_time_outs_do_not_fire(t):
    """A client that is made to wait by us is neither silent nor slow: with deadlines far below the pauses of its
    rate all arrives, down and up, also with its side closed."""
    origin = t.origin({"/up": lambda conn, request: reply(str(len(request.body)))(conn, request),
                       "/half": reply(BIG[:24 * 1024], cache="no-store")})
    larder = forward(t, origin, "bandwidth 2K/s burst=2K;",
                     limits="send_timeout 300ms; body_timeout 300ms; min_rate 4K; min_rate_over 1s; client_idle 500ms;")
    answers = {}

    def down():
        with larder.client(source="127.0.0.2", timeout=60) as client:
            client.request(url(origin, "/half"))
            client.half_close()
            answers["down"] = client.read_response()

    def up():
        answers["up"] = larder.fetch(url(origin, "/up"), "POST", body=BIG[:20 * 1024], source="127.0.0.3", timeout=60)
    threads = [threading.Thread(target=run) for run in (down, up)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began > 7
    assert answers["down"].complete and answers["down"].body == BIG[:24 * 1024], answers
    same(answers["up"].body, str(20 * 1024).encode())


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


def test_slow_client_keeps_its_turn(t):
    """One that does not read holds up its own turn alone: another connection of the same client has the rest, and what
    was booked for one that is gone is given back."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 400K/s;")
    stuck = larder.client(receive_buffer=4096)
    stuck.request(url(origin, "/miss"))
    same(stuck.read_head().status, 200)
    settle(8)
    reader = Meter(larder, url(origin, "/big")).begin(4)
    within(reader.end(), 4 * 400 * 1024, 0.2)
    stuck.close()


def test_reload_changes_the_rate(t):
    """Requests that come after a reload go at the new rate."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 200K/s;")
    within(Meter(larder, url(origin, "/big")).begin(3).end(), 3 * 200 * 1024, 0.2)
    larder.write_config(sites=text("bandwidth 1M/s;"))
    larder.command("reload", check=0)
    within(Meter(larder, url(origin, "/big")).begin(3).end(), 3 * MIB, 0.2)
    larder.write_config(sites=text(""))
    larder.command("reload", check=0)
    began = time.monotonic()
    same(len(larder.fetch(url(origin, "/big")).body), len(BIG))
    assert time.monotonic() - began < 4
    wait_for(lambda: larder.alive(), 1)


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
