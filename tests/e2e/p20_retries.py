"""Retries: what is sent again, to whom, how often, and what never is."""
import threading
import time

from case import free_port, head, raw, reply, same, sequence, slow, wait_for
from d01_collapse import Crowd


def reset(conn, _request):
    conn.reset()


def hang(conn, _request):
    conn.is_dropped(120)


def site(origins, settings="", rest="", cache="", timeouts="connect=5s first_byte=20s idle=20s"):
    """A site before these origins or ports, named s0, s1, ..."""
    servers = "\n".join(f"server s{i} http://127.0.0.1:{getattr(origin, 'port', origin)};"
                        for i, origin in enumerate(origins))
    eject = "" if "eject" in settings else "eject off;"  # what is told of one request should not depend on others
    return (f"site * {{ origins {{ {servers} timeout {timeouts}; {eject} {settings} }} "
            f"cache {{ purge from 127.0.0.1; {cache} }} {rest} }}")


def before(t, origins, settings="", **words):
    keys = {key: words.pop(key) for key in ("rest", "cache", "timeouts") if key in words}
    return t.larder(sites=site(origins, settings, **keys), **words)


def counts(origins, path="/a"):
    return [origin.count(path) for origin in origins]


def good_and(t, bad, count=2):
    """The first of them answers badly, the others well."""
    return [t.origin({"/a": bad})] + [t.origin({"/a": reply("good", cache="max-age=60")}) for _ in range(count - 1)]


def test_another_server_is_asked(t):
    """By default after a reset, nonsense, and a refusal; and the answer is stored as any."""
    for bad in (reset, raw(b""), raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), raw(b"\0\0\0")):
        origins = good_and(t, bad)
        larder = before(t, origins)
        response = larder.fetch("/a")
        same((response.status, response.body), (200, b"good"), bad)
        same(counts(origins), [1, 1])
        assert larder.fetch("/a").is_hit
        wait_for(larder.access_records, 5, "the access log")
        same(larder.access_records()[0]["origin"], "s1", "the access log names who answered")
    origin = t.origin({"/a": reply("good")})
    larder = before(t, [free_port(), origin])
    for _ in range(4):
        same(larder.fetch("/a").body, b"good")
    same(larder.metrics()['larder_origin_retries_total{pool="*"}'], 2)


def test_a_timeout_only_when_asked_for(t):
    timeouts = "connect=5s first_byte=3s idle=20s"
    origins = good_and(t, hang)
    larder = before(t, origins, timeouts=timeouts)
    same(larder.fetch("/a").status, 504)
    same(counts(origins), [1, 0])
    origins = good_and(t, hang)
    larder = before(t, origins, "retry 1 on=timeout;", timeouts=timeouts)
    same(larder.fetch("/a").status, 200)
    same(counts(origins), [1, 1])
    larder = before(t, [free_port(), origins[1]], "retry 1 on=timeout;")
    same(sorted(larder.fetch("/a?" + str(i)).status for i in range(2)), [200, 502], "a refusal is not listed")


def test_as_often_as_it_says(t):
    """Never the same one while there is another; the last failure is the answer."""
    for tries, total in ((0, 1), (1, 2), (3, 4)):
        origins = [t.origin({"/a": reset}) for _ in range(5)]
        larder = before(t, origins, f"retry {tries} budget=100%;")
        response = larder.fetch("/a")
        same((response.status, "connection_terminated" in response.get("Proxy-Status")), (502, True))
        same((sum(counts(origins)), max(counts(origins))), (total, 1))
    lone = t.origin({"/a": reset})
    larder = before(t, [lone], "retry 2;")
    same(larder.fetch("/a").status, 502)
    same(lone.count("/a"), 3, "the only one there is, because it was said")


def test_a_lone_server(t):
    """By default it is not asked twice for what it may have done."""
    for bad in (reset, raw(b"")):
        origin = t.origin({"/a": bad})
        larder = t.larder(origin)
        same(larder.fetch("/a").status, 502)
        same(origin.count("/a"), 1)


def test_what_may_have_an_effect(t):
    """A POST that may have arrived is not sent again, nor one whose body was taken; one that was not sent is."""
    for method, wanted in (("POST", [1, 0]), ("PATCH", [1, 0]), ("FOO", [1, 0]), ("PUT", [1, 1]), ("DELETE", [1, 1]),
                           ("OPTIONS", [1, 1]), ("HEAD", [1, 1])):
        origins = good_and(t, reset)
        larder = before(t, origins, "retry 1 on=connect,reset,timeout,503;")
        same(larder.fetch("/a", method).status, 200 if wanted[1] else 502, method)
        same(counts(origins), wanted, method)
    for method in ("POST", "PUT"):
        origins = good_and(t, reset)
        larder = before(t, origins)
        same(larder.fetch("/a", method, body=b"effect").status, 502)
        same(counts(origins), [1, 0], "its body is gone")
    origin = t.origin({"/a": reply("done")})
    larder = before(t, [free_port(), origin])
    for number in range(4):
        same(larder.fetch("/a", "POST", body=b"effect").status, 200)
    same([request.body for request in origin.requests], [b"effect"] * 4, "nobody had it before")


def test_methods(t):
    origins = good_and(t, reset)
    larder = before(t, origins, "retry 1 methods=HEAD;")
    same(larder.fetch("/a").status, 502)
    same(larder.fetch("/a", "HEAD").status, 200)
    same(counts(origins), [1, 1])


def test_listed_statuses(t):
    """The response is dropped before anybody sees it; the last one is passed on as it came."""
    origins = good_and(t, reply("busy", 503, headers=[("X-Who", "bad")]))
    larder = before(t, origins, "retry 1 on=503,429;")
    response = larder.fetch("/a")
    same((response.status, response.body, response.get("X-Who")), (200, b"good", None))
    same(counts(origins), [1, 1])
    origins = [t.origin({"/a": reply("busy" * 5000, status, headers=[("X-Who", "bad"), ("Retry-After", "7")])})
               for status in (503, 429)]
    larder = before(t, origins, "retry 1 on=503,429;")
    response = larder.fetch("/a")
    same((response.status, response.body, response.get("Retry-After")), (429, b"busy" * 5000, "7"))
    same(counts(origins), [1, 1])
    response = larder.fetch("/a", "POST")
    same((response.status in (503, 429), response.get("X-Who")), (True, "bad"), "a POST was done")
    same(sum(counts(origins)), 3)
    origins = good_and(t, reply("busy", 500))
    larder = before(t, origins, "retry 1 on=503;")
    same(larder.fetch("/a").status, 500)
    same(counts(origins), [1, 0])


def test_a_status_and_nobody_else_to_ask(t):
    """What has come is not dropped for a server that is busy or gone."""
    gate = threading.Event()

    def slowly(conn, request):
        gate.wait(60)
        reply("slow")(conn, request)
    origins = [t.origin({"/a": reply("busy", 503), "/slow": slowly}), t.origin({"/slow": slowly, "/a": reply("ok")})]
    servers = [f"server s{i} http://127.0.0.1:{origin.port} max=1;" for i, origin in enumerate(origins)]
    larder = t.larder(sites=f"site * {{ origins {{ {' '.join(servers)} retry 1 on=503; eject off; }} }}")
    with larder.client() as one, larder.client() as two:
        one.request("/slow?1")
        wait_for(lambda: origins[0].count("/slow") == 1, 5, "the first takes s0")
        two.request("/slow?2")
        wait_for(lambda: origins[1].count("/slow") == 1, 5, "the second takes s1")
        with larder.client() as three:
            three.request("/a")  # waits for either
            time.sleep(0.3)
            gate.set()
            same(three.read_response().status in (200, 503), True)
    larder = before(t, [origins[0], free_port()], "retry 1 on=503;")
    answers = [larder.fetch("/a") for _ in range(2)]
    assert all(answer.status in (502, 503) for answer in answers), answers
    assert larder.alive()


def test_validations(t):
    """Conditions go along to the next server, whose 304 counts."""
    def stored(age):
        return reply("page", cache=f"max-age={age}", etag='"v"')
    origins = [t.origin(default=stored(0)) for _ in range(2)]
    larder = before(t, origins, "retry 1 on=reset,503;", workers=1)
    for path, bad in (("/a", reset), ("/b", reply("busy", 503))):
        same(larder.fetch(path).status, 200)
        at = counts(origins, path)
        once = sequence(bad, stored(600))
        for origin in origins:
            origin.routes[path] = once
        response = larder.fetch(path)
        same((response.status, response.body), (200, b"page"))
        same([now - then for now, then in zip(counts(origins, path), at)], [1, 1])
        for origin in origins:
            same(origin.last(path).get("If-None-Match"), '"v"')
        assert larder.fetch(path).is_hit, "it was renewed"
    wait_for(lambda: len(larder.access_records()) == 6, 5, "the access log")
    same([record["result"] for record in larder.access_records()], ["miss", "revalidated", "hit"] * 2)


def test_followers_do_not_see_it(t):
    gate = threading.Event()

    def late_reset(conn, _request):
        gate.wait(60)
        conn.reset()
    origins = good_and(t, late_reset)
    larder = before(t, origins)
    crowd = Crowd(larder, 20, "/a")
    wait_for(lambda: origins[0].count("/a") == 1, 5, "the leader's request")
    time.sleep(0.3)
    gate.set()
    for client in crowd.clients:
        response = client.read_response()
        same((response.status, response.body), (200, b"good"))
    crowd.close()
    same(counts(origins), [1, 1])


def test_ranges(t):
    """A part of what is not stored, after a first try that failed."""
    body = bytes(range(256)) * 8192

    def part(conn, request):
        first, last = request.get("Range").split("=")[1].split("-")
        first, last = int(first), min(int(last), len(body) - 1)
        conn.send(head(206, [("Content-Range", f"bytes {first}-{last}/{len(body)}"), ("ETag", '"r"'),
                             ("Cache-Control", "max-age=60"), ("Content-Length", str(last - first + 1))]))
        conn.send(body[first:last + 1])
    origins = [t.origin({"/a": sequence(reset, part)}), t.origin({"/a": part})]
    larder = before(t, origins)
    response = larder.fetch("/a", headers=[("Range", "bytes=1000-1999")])
    same((response.status, response.body), (206, body[1000:2000]))
    same(counts(origins), [1, 1])
    same(origins[1].last("/a").get("Range"), origins[0].last("/a").get("Range"))


def test_nothing_after_the_head(t):
    """A body that is cut cannot be mended; nor an answer whose first part was passed on."""
    origins = good_and(t, raw(head(200, [("Content-Length", "100")]) + b"begin"))
    larder = before(t, origins, "retry 3 on=reset,connect,timeout,503;")
    response = larder.fetch("/a")
    same((response.status, response.complete, response.body), (200, False, b"begin"))
    same(counts(origins), [1, 0])
    origins = good_and(t, raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"))
    larder = before(t, origins)
    response = larder.fetch("/a")
    same(response.status, 502)
    same(counts(origins), [1, 0])


def test_upgrades(t):
    """Another server only before a byte was sent."""
    fields = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x" * 22 + "=="),
              ("Sec-WebSocket-Version", "13")]
    origins = good_and(t, reset)
    larder = before(t, origins, rest="upgrade websocket;")
    same(larder.fetch("/a", headers=fields).status, 502)
    same(counts(origins), [1, 0])
    origin = t.origin({"/a": reply("no tunnel")})
    larder = before(t, [free_port(), origin], rest="upgrade websocket;")
    for _ in range(2):
        same(larder.fetch("/a", headers=fields).status, 200)


def test_total_time(t):
    """Over queue, tries and all: not per try."""
    origins = [t.origin({"/a": hang}) for _ in range(4)]
    larder = before(t, origins, "retry 3 on=timeout budget=100%;", timeouts="connect=5s first_byte=5s idle=5s total=8s")
    begun = time.monotonic()
    response = larder.fetch("/a", timeout=40)
    taken = time.monotonic() - begun
    same((response.status, "http_response_timeout" in response.get("Proxy-Status")), (504, True))
    assert 7.9 < taken, taken
    same(sum(counts(origins)), 2)  # four of five seconds each, if it were per try


def test_total_time_in_the_queue(t):
    origin = t.origin({"/slow": hang, "/a": reply("good")})
    sites = (f"site * {{ origins {{ server one http://127.0.0.1:{origin.port} max=1; queue timeout=1m; "
             "timeout first_byte=5m total=1s; } rule path /slow { timeout total=5m; } }")
    larder = t.larder(sites=sites)
    with larder.client() as client:
        client.request("/slow")
        wait_for(lambda: origin.count("/slow") == 1, 5, "the only place is taken")
        begun = time.monotonic()
        response = larder.fetch("/a", timeout=55)
        taken = time.monotonic() - begun
        same(response.status, 504)
        assert 0.9 < taken < 50, taken  # the place stays taken, and the queue waits for a minute
    same(origin.count("/a"), 0)


@slow(90)
def test_the_budget_holds_in_an_outage(t):
    """Every server takes requests and drops them: they see at most a fifth more than clients send, or three a second."""
    origins = [t.origin(default=reset) for _ in range(3)]
    larder = before(t, origins, "retry 2 on=reset budget=20%;", workers=2)
    sent = 0

    def ask(count, name):
        for number in range(count):
            same(larder.fetch(f"/{name}/{number}").status, 502)
    threads = [threading.Thread(target=ask, args=(100, name)) for name in range(4)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
        sent += 100
    for thread in threads:
        thread.join()
    seen = sum(len(origin.requests) for origin in origins)
    most = max(sent * 0.2, 3 * (time.monotonic() - begun + 1)) + 30  # a slow start has its three a second, too
    assert sent * 0.05 < seen - sent <= most, (sent, seen, most)
    metrics = larder.metrics()
    same(metrics['larder_origin_retries_total{pool="*"}'], seen - sent)
    refused = metrics['larder_origin_retry_budget_exhausted_total{pool="*"}']
    assert refused >= sent - (seen - sent) / 2, (refused, "all but those that had both of their tries")
    same(metrics['larder_errors_total{source="self"}'], sent, "each was an error of ours")
    said = larder.command("origins", check=0).stdout
    assert f"retries since the start: {seen - sent} sent, {refused:.0f} not, because of the budget\n" in said, said


def test_the_budget_counts_no_refusals(t):
    """A server that is not there takes nothing: all that is meant for it goes to the others."""
    origin = t.origin(default=reply("good"))
    larder = before(t, [free_port(), origin], "retry 1 budget=0%;")
    for number in range(40):
        same(larder.fetch(f"/{number}").status, 200)


def test_a_dead_kept_connection_is_no_retry(t):
    """The fetch layer's own second try, on a fresh connection to the same server."""
    def once(conn, request):
        reply("good")(conn, request)
        conn.origin.stopping.wait(0.2)
        conn.close()  # kept, and closed without a word
    origin = t.origin({"/a": once})
    larder = before(t, [origin], "retry 0;", workers=1)
    for _ in range(5):
        same(larder.fetch("/a").status, 200)
        time.sleep(0.1)
    same(larder.metrics()['larder_origin_retries_total{pool="*"}'], 0)


def test_settings(t):
    """What is wrong is told; what is right is printed as it counts."""
    for text, word in (("retry 8;", "8"), ("retry 1 on=never;", "never"), ("retry 1 on=200;", "200"),
                       ("retry 1 methods=POST;", "POST"), ("retry 1 budget=20;", "20"), ("retry 1 x=1;", "x=1"),
                       ("retry auto on=reset;", "on=reset"), ("retry 1 on=reset on=503;", "on")):
        larder = before(t, [1], text, start=False)
        done = larder.cli("check", larder.config_path)
        assert done.returncode != 0 and word in done.stdout + done.stderr, (text, done.stdout, done.stderr)
    larder = before(t, [free_port()], "retry 1 on=503,connect methods=HEAD,GET;")
    done = larder.cli("config", "show", "-c", larder.config_path)
    assert "retry 1 on=connect,503 methods=GET,HEAD budget=20%;" in done.stdout, done.stdout
