"""Passive ejection: failures of requests take a server out, one trial request brings it back, and nobody is sacrificed before a
connection stands again."""
import threading
import time

from case import free_port, reply, same, slow, wait_for


def pool(t, origins, settings="", **options):
    servers = " ".join(f"server {name} http://127.0.0.1:{origin if isinstance(origin, int) else origin.port};"
                       for name, origin in zip("abc", origins))
    return t.larder(sites=f"site * {{ origins {{ {servers} {settings} }} cache {{ off; }} }}", **options)


def named(name, status=200, delay=0.0):
    return reply(name, status, cache="no-store", delay=delay)


def posts(larder, count):
    """Requests that are never sent again: statuses and bodies of all."""
    return [(response.status, response.body.decode())
            for response in (larder.fetch(f"/{number}", "POST", body=b"x") for number in range(count))]


def says(larder, text, limit_s=10):
    wait_for(lambda: text in larder.output(), limit_s, text)


def test_five_in_a_row(t):
    """The default of two servers: five failures, out, a trial after a second, back; statuses that are the site's own are none."""
    good, bad = t.origin(default=named("a")), t.origin(default=named("b", 503))
    larder = pool(t, [good, bad])
    got = []
    while [status for status, _ in got].count(503) < 5:  # no more: the next one might be the trial
        got += posts(larder, 1)
    assert len(got) <= 20, got
    says(larder, 'server=b from=up to=ejected reason="5 errors in a row, last: 503"')
    same(len(bad.requests), 5)
    bad.default = named("b", 500)
    says(larder, "from=ejected to=trial")
    assert (500, "b") in posts(larder, 4)  # 500 is no failure
    says(larder, 'server=b from=trial to=up reason="the trial request went well: 500"')
    posts(larder, 12)
    same("ejected" in larder.output().split("from=trial to=up")[-1], False)


def test_twice_as_long_each_time(t):
    """Each trial that fails doubles the time out; only one request at a time is risked."""
    good, bad = t.origin(default=named("a")), t.origin(default=named("b", 503))
    larder = pool(t, [good, bad], "eject fails=1 time=300ms max_time=2s;")
    end = time.monotonic() + 40
    while len(bad.requests) < 6 and time.monotonic() < end:
        same({status for status, _ in posts(larder, 2)} <= {200, 503}, True)
    at = [request.at for request in bad.requests]
    gaps = [b - a for a, b in zip(at, at[1:])]
    same(len(at), 6, "requests that were risked")
    for gap, least in zip(gaps, (0.3, 0.6, 1.2, 2.0, 2.0)):
        assert gap >= least - 0.01, gaps


@slow(90)
def test_one_trial_at_a_time(t):
    """While the trial is under way, all others go elsewhere."""
    hold = threading.Event()

    def held(conn, request):
        hold.wait(60)
        return named("b")(conn, request)
    good, bad = t.origin(default=named("a")), t.origin(default=named("b", 503))
    larder = pool(t, [good, bad], "eject fails=1 time=300ms; timeout first_byte=2m;")
    while posts(larder, 1)[0][0] != 503:
        pass
    bad.default = held
    says(larder, "from=ejected to=trial")
    count = len(bad.requests)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(larder.fetch("/t", "POST", body=b"x").body)) for _ in range(10)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(answers) == 9, 10, "the others")
    same(len(bad.requests) - count, 1)
    hold.set()
    for thread in threads:
        thread.join()
    same(sorted(answers), [b"a"] * 9 + [b"b"])


def test_dead_server_is_left_alone(t):
    """Refused connections take it out, and it is knocked on without a client until it is there again."""
    good, port = t.origin(default=named("a")), free_port()
    larder = pool(t, [good, port])
    got = posts(larder, 24)
    assert [status for status, _ in got].count(502) <= 5, got
    says(larder, 'server=b from=up to=ejected reason="5 errors in a row, last: connection refused"')
    time.sleep(2.5)  # more than one try to find it
    same({body for _, body in posts(larder, 8)}, {"a"})
    t.origin(port=port, default=named("b"))
    says(larder, "server=b from=ejected to=trial", 3)
    same({body for _, body in posts(larder, 8)}, {"a", "b"})
    same(len([1 for status, _ in posts(larder, 20) if status != 200]), 0)


def test_the_last_one_stays(t):
    """Slow answers and 503 do not take the last one out; broken connections do, and then nobody waits."""
    first, second = t.origin(default=named("a", 503)), t.origin(default=named("b", 503))
    larder = pool(t, [first, second], "eject fails=2 time=2m max_time=2m;")
    posts(larder, 12)
    out = [name for name in "ab" if f"server={name} from=up to=ejected" in larder.output()]
    same(len(out), 1, larder.output())
    same({status for status, _ in posts(larder, 6)}, {503})
    left = second if out == ["a"] else first
    count = len(left.requests)
    same({body for _, body in posts(larder, 4)}, {"ab".replace(out[0], "")})
    same(len(left.requests), count + 4)
    left.shut()
    posts(larder, 3)
    says(larder, "connection refused")
    response = larder.fetch("/last", "POST", body=b"x")
    same(response.status, 503)
    assert b"no origin can be asked" in response.body, response.body
    record = wait_for(lambda: [one for one in larder.access_records() if one["path"] == "/last"], 10, "the access log")[0]
    same((record["reason"], record["origin"]), ("origin_down", ""), "nobody waits for it")


def test_alone_it_is_never_taken_out(t):
    """A pool of one: refused connections are answered as such, and it is there at once when it is back."""
    port = free_port()
    larder = pool(t, [port])
    same({status for status, _ in posts(larder, 12)}, {502})
    t.origin(port=port, default=named("a"))
    same(posts(larder, 1), [(200, "a")])
    assert "ejected" not in larder.output()


def test_alone_it_is_taken_out_when_asked_for(t):
    port = free_port()
    larder = pool(t, [port], "eject fails=3 time=5s;")
    same([status for status, _ in posts(larder, 5)], [502, 502, 502, 503, 503])
    t.origin(port=port, default=named("a"))
    wait_for(lambda: larder.fetch("/").status == 200, 30, "recovery")


def test_with_a_check(t):
    """A server whose check passes but whose requests fail is tried again after its time, by the check's word."""
    good, bad = t.origin(default=named("a")), t.origin(default=named("b", 503), routes={"/healthz": reply(b"fine")})
    good.routes["/healthz"] = reply(b"fine")
    larder = pool(t, [good, bad], "check /healthz every=5m timeout=10s; eject fails=2 time=700ms;")
    posts(larder, 8)
    says(larder, "server=b from=up to=ejected")
    bad.default = named("b")
    says(larder, 'server=b from=ejected to=trial reason="a check passed; the next request decides"', 60)  # not minutes
    wait_for(lambda: (200, "b") in posts(larder, 2), 20, "b")
    says(larder, "server=b from=trial to=up")


def test_a_reload_keeps_it_out(t):
    good, bad = t.origin(default=named("a")), t.origin(default=named("b", 503))
    larder = pool(t, [good, bad], "eject fails=2 time=60s;")
    posts(larder, 8)
    says(larder, "server=b from=up to=ejected")
    count = len(bad.requests)
    text = larder.config().replace("fails=2", "fails=3")
    larder.write_config(text)
    larder.command("reload", check=0)
    same({body for _, body in posts(larder, 8)}, {"a"})
    same(len(bad.requests), count)
    larder.write_config(text.replace("eject fails=3 time=60s;", "eject off;"))
    larder.command("reload", check=0)
    says(larder, 'server=b from=ejected to=up reason="no longer ejected"')
    same({status for status, _ in posts(larder, 8)}, {200, 503})
