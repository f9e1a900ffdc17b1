"""The circuit breaker: a share of failures among enough requests opens it, a trial closes it."""
import threading

from case import reply, same, wait_for


def pool(t, origins, settings="", **options):
    servers = " ".join(f"server {name} http://127.0.0.1:{origin.port};" for name, origin in zip("abc", origins))
    return t.larder(sites=f"site * {{ origins {{ {servers} {settings} }} cache {{ off; }} }}", **options)


def named(name, status=200):
    return reply(name, status, cache="no-store")


def every_second(name, bad=503):
    """Good and bad in turn: never two failures in a row."""
    state, lock = {"number": 0}, threading.Lock()

    def behave(conn, request):
        with lock:
            state["number"] += 1
            odd = state["number"] % 2
        return named(name, bad if odd else 200)(conn, request)
    return behave


def posts(larder, count):
    return [larder.fetch(f"/{number}", "POST", body=b"x").status for number in range(count)]


def says(larder, text, limit_s=10):
    wait_for(lambda: text in larder.output(), limit_s, text)


def test_a_share(t):
    """Half of b's answers are failures, which no row of five shows."""
    good, bad = t.origin(default=named("a")), t.origin(default=every_second("b"))
    larder = pool(t, [good, bad], "breaker errors=50% requests=10 within=1h; eject time=6s;")
    posts(larder, 16)
    assert "ejected" not in larder.output()  # 8 of b: too few
    posts(larder, 8)
    says(larder, 'server=b from=up to=ejected reason="6 of 11 requests failed, last: 503"')
    count = len(bad.requests)
    same(set(posts(larder, 6)), {200})
    same(len(bad.requests), count)
    bad.default = named("b")
    says(larder, "server=b from=ejected to=trial", 30)
    same(set(posts(larder, 10)), {200})
    says(larder, "server=b from=trial to=up")
    bad.default = every_second("b")
    posts(larder, 16)
    same(larder.output().count("server=b from=up to=ejected"), 1, "it counts anew")


def test_below_the_share(t):
    good, bad = t.origin(default=named("a")), t.origin(default=every_second("b"))
    larder = pool(t, [good, bad], "breaker errors=60% requests=10 within=1h;")
    posts(larder, 60)
    assert "ejected" not in larder.output(), larder.output()


def test_off(t):
    good, bad = t.origin(default=named("a")), t.origin(default=every_second("b"))
    larder = pool(t, [good, bad])
    posts(larder, 60)
    assert "ejected" not in larder.output(), larder.output()


def test_what_counts_says_eject(t):
    """With on=5xx also a 500; alone in its pool a server is not taken out for it."""
    good, bad = t.origin(default=named("a")), t.origin(default=every_second("b", 500))
    larder = pool(t, [good, bad], "breaker requests=4 within=1h; eject off on=5xx;")
    posts(larder, 16)
    says(larder, "server=b from=up to=ejected")
    alone = t.origin(default=named("c", 500))
    other = pool(t, [alone], "breaker requests=4 within=1h; eject on=5xx;")
    same(set(posts(other, 12)), {500})
    assert "ejected" not in other.output()
