"""Active checks: what is asked, what counts, who is asked meanwhile, and how soon a server is back."""
import socket
import threading
import time

from case import free_port, head, raw, reply, same, wait_for
from tls import Authority, TlsOrigin


def pool(t, origins, settings, **options):
    servers = " ".join(f"server {name} http://127.0.0.1:{origin if isinstance(origin, int) else origin.port};"
                       for name, origin in zip("abc", origins))
    return t.larder(sites=f"site * {{ origins {{ {servers} {settings} }} cache {{ off; }} }}", **options)


def answers(larder, count=12):
    """The bodies of so many answers, or their statuses where those are no 200."""
    out = []
    for number in range(count):
        response = larder.fetch(f"/{number}")
        out.append(response.body.decode() if response.status == 200 else str(response.status))
    return out


def says(larder, text, limit_s=10):
    wait_for(lambda: text in larder.output(), limit_s, text)


def checked(name, health=b"fine", status=200, **words):
    """An origin's routes: its name for everybody, its health for checks."""
    return {"default": reply(name, cache="no-store"), "routes": {"/healthz": reply(health, status, **words)}}


def test_what_is_asked(t):
    origin = t.origin(**checked("a"))
    began = time.monotonic()
    pool(t, [origin], "check GET /healthz?x=1 every=200ms timeout=10s host=checks.test;")
    wait_for(lambda: len(origin.requests) >= 25, 20, "checks")
    count = len(origin.requests)
    assert count <= 2 + (time.monotonic() - began) / 0.18, "more than each 200 ms, less a tenth by lot"
    request = origin.requests[0]
    same((request.line, request.get("Host"), request.get("User-Agent"), request.get("Connection")),
         ("GET /healthz?x=1 HTTP/1.1", "checks.test", "larder-check", None), request.raw_head)
    wait_for(lambda: origin.connections == len(origin.requests), 10, "a connection each")


def test_host_of_the_pool_and_of_the_server(t):
    first, second = t.origin(**checked("a")), t.origin(**checked("b"))
    larder = t.larder(sites=f"""site a.test {{ origins {{ server a http://127.0.0.1:{first.port}; check HEAD /healthz;
        host app.internal; }} }}
        site b.test {{ origins {{ server b http://127.0.0.1:{second.port}; check /healthz; }} }}""")
    wait_for(lambda: first.requests and second.requests, 10, "checks")
    same((first.requests[0].method, first.requests[0].get("Host")), ("HEAD", "app.internal"))
    same((second.requests[0].method, second.requests[0].get("Host")), ("GET", f"127.0.0.1:{second.port}"))
    same(larder.fetch("/", host="a.test").status, 200)


def test_down_and_up_again(t):
    """A failing server gets no request, and the first good checks bring it back."""
    good, bad = t.origin(**checked("a")), t.origin(**checked("b", status=503))
    larder = pool(t, [good, bad], "check /healthz every=200ms timeout=10s rise=2 fall=3; eject off;")
    says(larder, 'server=b from=up to=down reason="1 check failed: status 503"')  # the first one decides alone
    same(set(answers(larder)), {"a"})
    bad.routes["/healthz"] = reply(b"fine")
    says(larder, 'server=b from=down to=up reason="2 checks passed: status 200"')
    same(set(answers(larder)), {"a", "b"})
    bad.routes["/healthz"] = reply(b"fine", 500)
    says(larder, 'server=b from=up to=down reason="3 checks failed: status 500"')
    same(set(answers(larder)), {"a"})


def test_flapping_stays(t):
    """One bad check of two in a row changes nothing with fall=2, and one good one nothing with rise=2."""
    state = {"number": 0}

    def flaps(conn, request):
        state["number"] += 1
        return reply(b"x", 200 if state["number"] % 2 == 1 else 503)(conn, request)
    origin = t.origin(default=reply("a", cache="no-store"), routes={"/healthz": flaps})
    larder = pool(t, [origin], "check /healthz every=100ms timeout=10s rise=2 fall=2;")
    wait_for(lambda: state["number"] >= 10, 15, "checks")
    same(set(answers(larder)), {"a"})
    assert "from=" not in larder.output(), larder.output()


def test_kinds_of_failure(t):
    """Hanging after the request, garbage, a refused connection, a cut body, the wrong text: each in its words."""
    hangs = t.origin(default=reply(b"x", delay=30))
    garbage = t.origin(default=raw(b"SSH-2.0-x\r\n\r\n"))
    cut = t.origin(default=raw(head(200, [("Content-Length", "10")]) + b"12345"))
    text = t.origin(default=reply(b"all is lost"))
    closed = t.origin(default=raw(b""))
    endless = t.origin(default=trickle)
    names = {"hangs": hangs.port, "garbage": garbage.port, "refused": free_port(), "cut": cut.port, "text": text.port,
             "closed": closed.port, "endless": endless.port}
    servers = " ".join(f"server {name} http://127.0.0.1:{port};" for name, port in names.items())
    larder = t.larder(sites=f'site * {{ origins {{ {servers} check /h every=4s timeout=3s body="all is well"; }} }}')
    for name, words in (("hangs", "no answer in time after 3 s"), ("garbage", "malformed answer"),
                        ("refused", "connection refused"), ("cut", "answer cut short"),
                        ("text", "status 200, but its body is without the text"), ("closed", "closed before an answer"),
                        ("endless", "answer took too long after 3 s")):
        says(larder, f'server={name} from=up to=down reason="1 check failed: {words}"')
    is_answered_at_once(larder)


def is_answered_at_once(larder):
    """With all of them known to be down: no server is asked, and nobody waits in the queue."""
    same(larder.fetch("/down").status, 503)
    record = wait_for(lambda: [one for one in larder.access_records() if one["path"] == "/down"], 10, "the access log")[0]
    same((record["reason"], record["origin"]), ("origin_down", ""))


def trickle(conn, _request):
    conn.send(head(200, [("Content-Length", "1000000")]))
    while not conn.origin.stopping.wait(0.1):
        conn.send(b"x")


def test_text_in_a_large_body(t):
    """Looked for in the first 64 KiB, and no more is read."""
    near, far = t.origin(), t.origin()
    near.default = reply(b"x" * 60000 + b"all is well" + b"y" * 5_000_000)
    far.default = reply(b"x" * 70000 + b"all is well" + b"y" * 5_000_000)
    larder = pool(t, [near, far], 'check /h every=300ms timeout=20s body="all is well" fall=1;')
    says(larder, 'server=b from=up to=down reason="1 check failed: status 200, but its body')
    wait_for(lambda: len(near.requests) >= 3, 10, "checks")
    assert "server=a" not in larder.output(), larder.output()


def test_never_two_at_a_time(t):
    state = {"now": 0, "most": 0, "count": 0}
    lock = threading.Lock()

    def slow(conn, request):
        with lock:
            state["now"] += 1
            state["count"] += 1
            state["most"] = max(state["most"], state["now"])
        conn.origin.stopping.wait(0.4)
        with lock:
            state["now"] -= 1
        return reply(b"x")(conn, request)
    origin = t.origin(default=slow)
    larder = pool(t, [origin], "check /h every=100ms timeout=20s;")
    while state["count"] < 5:  # also when one is asked for, or settings come, in the middle of another
        status, answer = larder.api("/api/v1/origins/*/a/check", "POST", {})
        assert status in (200, 202), (status, answer)
        same(larder.command("reload").returncode, 0)
    same(state["most"], 1)
    assert larder.alive()


def test_tcp(t):
    """A connection is enough; nothing is sent on it."""
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))
    larder = pool(t, [port], "check tcp every=200ms timeout=10s;")
    for _ in range(2):
        conn, _ = listener.accept()
        with conn:
            conn.settimeout(20)
            try:
                same(conn.recv(100), b"")
            except ConnectionResetError:
                pass
    assert "from=" not in larder.output()
    listener.close()
    says(larder, 'server=a from=up to=down reason="3 checks failed: connection refused"')
    again = socket.create_server(("127.0.0.1", port))
    says(larder, "server=a from=down to=up")
    again.close()


def test_recovery_within_an_interval(t):
    """All are down: 503 at once, and with the first good check of one that is back 200."""
    port = free_port()
    larder = pool(t, [port], "check /healthz every=500ms timeout=10s rise=1;")
    says(larder, "server=a from=up to=down")
    is_answered_at_once(larder)
    t.origin(port=port, **checked("a"))
    wait_for(lambda: larder.fetch("/").status == 200, 20, "recovery")
    assert 'server=a from=down to=up reason="1 check passed: status 200"' in larder.output(), larder.output()


def test_reload_keeps_the_state(t):
    """A server that is down stays so over a reload, without being asked in between; a changed one is new."""
    good, bad = t.origin(**checked("a")), t.origin(**checked("b", status=503))
    settings = "check /healthz every={} timeout=10s fall=1;"
    larder = pool(t, [good, bad], settings.format("30s"))
    says(larder, "server=b from=up to=down")
    text = larder.config().replace("30s", "29s")
    larder.write_config(text)
    larder.command("reload", check=0)
    same(set(answers(larder)), {"a"})
    same(len([r for r in bad.requests if r.path != "/healthz"]), 0)
    larder.write_config(text.replace("check /healthz every=29s timeout=10s fall=1;", ""))
    larder.command("reload", check=0)
    says(larder, 'server=b from=down to=up reason="no longer checked"')
    same(set(answers(larder)), {"a", "b"})


def test_https(t):
    """A check is made under the same TLS settings as requests: a certificate nobody vouches for is a failed check."""
    ca, other = Authority(t), Authority(t, "other")
    origin = TlsOrigin(t, ca.issue("DNS:app.test"), {"/healthz": reply(b"fine")}, default=reply("a", cache="no-store"))
    block = "site {} {{ origins {{ server {} https://127.0.0.1:%d; tls ca={} name=app.test; check /healthz every=300ms timeout=10s; }} }}"
    larder = t.larder(sites="".join(block.format(*words) % origin.port
                                    for words in (("a.test", "a", ca.path), ("b.test", "b", other.path))))
    says(larder, 'server=b from=up to=down reason="1 check failed: certificate not valid"')
    wait_for(lambda: len(origin.requests) >= 2, 10, "checks")
    same((larder.fetch("/", host="a.test").body, larder.fetch("/", host="b.test").status), (b"a", 503))
    same(set(origin.names), {"app.test"})
