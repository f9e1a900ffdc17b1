"""Corners of pools: what a reload changes for those who wait, answers without an end as trials, no descriptors left."""
import os
import resource
import threading
import time

from case import head, reply, same, slow, wait_for


def named(name, status=200):
    return reply(name, status, cache="no-store")


def says(larder, text, limit_s=10):
    wait_for(lambda: text in larder.output(), limit_s, text)


def asked(larder, *words, **options):
    """Asks in the background: a list that gets the answer."""
    got = []
    threading.Thread(target=lambda: got.append(larder.fetch(*words, **options)), daemon=True).start()
    return got


def queued(larder):
    return sum(value for name, value in larder.metrics().items() if name.startswith("larder_origin_queue_waiting"))


def pool_site(servers, settings=""):
    return f"site * {{ origins {{ {servers} {settings} }} cache {{ off; }} }}"


def test_a_reload_lets_the_queue_move(t):
    """More places, or one server more: who waits goes at once, not when the next request ends."""
    hold = threading.Event()

    def held(conn, request):
        hold.wait(100)
        return named("a")(conn, request)
    first, second = t.origin({"/held": held}, default=named("a")), t.origin(default=named("b"))
    one = f"server a http://127.0.0.1:{first.port} max=%d;"
    queue = "queue size=10 timeout=2m; timeout first_byte=2m;"
    larder = t.larder(sites=pool_site(one % 1, queue))
    busy = asked(larder, "/held", timeout=100)
    wait_for(lambda: first.count("/held") == 1, 10, "the held one")
    waiting = asked(larder, "/one", timeout=100)
    wait_for(lambda: queued(larder) == 1, 10, "the queue")
    larder.write_config(sites=pool_site(one % 2, queue))
    larder.command("reload", check=0)
    wait_for(lambda: waiting, 5, "the place more")
    same((waiting[0].status, waiting[0].body), (200, b"a"))
    larder.write_config(sites=pool_site(one % 1, queue))
    larder.command("reload", check=0)
    waiting = asked(larder, "/two", timeout=100)
    wait_for(lambda: queued(larder) == 1, 10, "the queue")
    larder.write_config(sites=pool_site(one % 1 + f"server b http://127.0.0.1:{second.port};", queue))
    larder.command("reload", check=0)
    wait_for(lambda: waiting, 5, "the server more")
    same((waiting[0].status, waiting[0].body), (200, b"b"))
    hold.set()
    wait_for(lambda: busy, 10, "the held one")


def test_an_endless_answer_is_a_trial_that_went_well(t):
    """The head decides: a stream that goes on for hours does not keep its server out as long."""
    stop = threading.Event()

    def stream(conn, _request):
        conn.send(head(200, [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")]))
        while not stop.wait(0.2):
            conn.send("data: x\n\n")
        conn.close()
    bad = t.origin({"/stream": stream}, default=named("a", 503))
    other = t.origin(default=named("b"))
    larder = t.larder(sites=pool_site(f"server a http://127.0.0.1:{bad.port}; server b http://127.0.0.1:{other.port} backup;",
                                      "eject fails=1 time=300ms;"))
    same(larder.fetch("/", "POST", body=b"x").status, 503)
    bad.default = named("a")
    says(larder, "from=ejected to=trial")
    with larder.client() as client:
        client.request("/stream")
        same(client.read_head().status, 200)
        says(larder, 'from=trial to=up reason="the trial request went well: 200"', 5)
        same([larder.fetch(f"/{i}").body for i in range(4)], [b"a"] * 4)
        stop.set()


@slow(90)
def test_no_descriptors_left(t):
    """That is nobody's fault: no server is taken out for it, and when there are descriptors again all is as before."""
    origins = [t.origin(default=named(name)) for name in "ab"]
    servers = " ".join(f"server {name} http://127.0.0.1:{origin.port};" for name, origin in zip("ab", origins))
    larder = t.larder(sites=pool_site(servers, "keepalive 0; check tcp every=200ms fall=2; eject fails=2 time=10s;"),
                      start=False, workers=1)
    larder.start()
    same(larder.fetch("/").status, 200)
    held = []
    with larder.client(timeout=30) as client:
        client.request("/first")
        same(client.read_response().status, 200)
        time.sleep(0.3)
        used = max(int(fd) for fd in os.listdir(f"/proc/{larder.process.pid}/fd")) + 1
        pid, hard = larder.process.pid, resource.prlimit(larder.process.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used - 3, hard))
        for i in range(10):
            client.request(f"/{i}", method="POST", headers=[("Content-Length", "1")])
            client.send(b"x")
            held.append(client.read_response().status)
        time.sleep(1.5)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 50, hard))
        for i in range(10):
            client.request(f"/{i}", method="POST", headers=[("Content-Length", "1")])
            client.send(b"x")
            same(client.read_response().status, 200)
    assert set(held) & {502, 503}, held
    assert "origin_out" not in larder.output(), larder.output()


def test_up_while_a_trial_is_under_way(t):
    """The trial that somebody else has decided meanwhile leaves nothing behind: the next one comes as ever."""
    hold = threading.Event()

    def held(conn, request):
        hold.wait(60)
        return named("a")(conn, request)
    bad = t.origin({"/held": held}, default=named("a", 503))
    other = t.origin(default=named("b"))
    larder = t.larder(sites=pool_site(f"server a http://127.0.0.1:{bad.port}; server b http://127.0.0.1:{other.port} backup;",
                                      "eject fails=1 time=300ms;"))
    same(larder.fetch("/", "POST", body=b"x").status, 503)
    says(larder, "from=ejected to=trial")
    trial = asked(larder, "/held", timeout=30)
    wait_for(lambda: bad.count("/held") == 1, 10, "the trial")
    larder.command("origins", "up", "*/a", "--reason", "looks good", check=0)
    says(larder, "from=trial to=up")
    hold.set()
    wait_for(lambda: trial, 10, "the end of the trial")
    same(larder.fetch("/", "POST", body=b"x").status, 503)
    bad.default = named("a")
    wait_for(lambda: larder.output().count("from=ejected to=trial") == 2, 10, "the second trial")
    same([larder.fetch(f"/{i}").body for i in range(3)], [b"a"] * 3)


@slow(90)
def test_a_long_queue_of_those_who_stay(t):
    """However many wait for their own busy server, who can go elsewhere goes."""
    hold, free = threading.Event(), threading.Event()

    def until(event, name):
        def behave(conn, request):
            event.wait(100)
            return named(name)(conn, request)
        return behave
    a, b = t.origin({"/held": until(hold, "a")}, default=named("a")), t.origin({"/held": until(free, "b")}, default=named("b"))
    servers = " ".join(f"server {name} http://127.0.0.1:{origin.port} max=1;" for name, origin in zip("ab", (a, b)))
    larder = t.larder(sites=pool_site(servers, "sticky at; queue size=200 timeout=2m; timeout first_byte=2m;"))
    cookies = {}
    for number in range(4):
        got = larder.fetch(f"/{number}")
        cookies[got.body] = got.get("set-cookie").split(";")[0]
    busy = [asked(larder, "/held", headers=[("Cookie", cookies[name])], timeout=100) for name in (b"a", b"b")]
    wait_for(lambda: a.count("/held") == 1 and b.count("/held") == 1, 10, "both are busy")
    stay = [asked(larder, f"/s{i}", headers=[("Cookie", cookies[b"a"])], timeout=100) for i in range(70)]
    wait_for(lambda: queued(larder) == 70, 10, "those who stay")
    other = asked(larder, "/other", timeout=100)
    wait_for(lambda: queued(larder) == 71, 10, "the one who need not")
    free.set()
    wait_for(lambda: other, 5, "it")
    same(other[0].body, b"b")
    hold.set()
    wait_for(lambda: all(busy) and all(stay), 20, "all")
    same({got[0].body for got in stay}, {b"a"})
    same(queued(larder), 0)


def test_a_cut_upload_leaves_the_queue(t):
    """Also when more of it came than is read before it is wanted: nobody holds a place for a body that never ends."""
    hold = threading.Event()
    origin = t.origin({"/held": lambda conn, request: (hold.wait(100), named("a")(conn, request))}, default=named("a"))
    larder = t.larder(sites=pool_site(f"server a http://127.0.0.1:{origin.port} max=1;", "queue size=9 timeout=5m; timeout first_byte=5m;"),
                      limits="request_body 100M;")
    busy = asked(larder, "/held", timeout=100)
    wait_for(lambda: origin.count("/held") == 1, 10, "the held one")
    cut, whole = larder.client(), larder.client(timeout=30)
    cut.request("/cut", "POST", headers=[("Content-Length", "900000")])
    cut.send(b"x" * 100_000)
    whole.request("/whole", "POST", headers=[("Content-Length", "100000")])
    whole.send(b"y" * 100_000)
    wait_for(lambda: queued(larder) == 2, 10, "the queue")
    cut.close()
    wait_for(lambda: queued(larder) == 1, 30, "the end of the cut one")
    whole.socket.shutdown(1)  # half closed, with all of it sent
    time.sleep(1)
    same(queued(larder), 1)
    hold.set()
    same(whole.read_response().status, 200)
    same(origin.last("/whole").body, b"y" * 100_000)
    same(origin.count("/cut"), 0)
    wait_for(lambda: busy, 10, "the held one")
