"""The operators' side: health, metrics, status, tokens, the command line, the access log."""
import hashlib
import json
import os
import re
import signal
import time

from case import Case, Client, reply, same, wait_for


def token(name, scope):
    """A token whose digest we can write into the file ourselves."""
    return f"{name}_{scope}_" + (name * 43)[:43]


def write_tokens(larder, *tokens):
    os.makedirs(os.path.join(larder.folder, "state"), exist_ok=True)
    path = os.path.join(larder.folder, "state", "tokens")
    with open(path, "w", encoding="ascii") as out:
        for one in tokens:
            name, scope, _ = one.split("_")
            out.write(f"{name} {scope} {hashlib.sha256(one.encode()).hexdigest()} 2026-11-23T00:00:00Z\n")
    os.chmod(path, 0o600)


def test_health(t):
    larder = t.larder(t.origin())
    response = larder.admin("/healthz")
    same((response.status, response.body.strip()), (200, b"ok"))
    same(larder.admin("/readyz").status, 200)


def test_tokens_are_made_at_first_start(t):
    larder = t.larder(t.origin())
    path = os.path.join(larder.folder, "state", "tokens")
    assert os.path.exists(path), os.listdir(larder.folder)
    same(os.stat(path).st_mode & 0o777, 0o600)


def test_scopes(t):
    larder = t.larder(t.origin({"/p": reply("x", cache="max-age=600")}), start=False, admin="metrics on;")
    read, purge, admin = token("r", "read"), token("p", "purge"), token("a", "admin")
    write_tokens(larder, read, purge, admin)
    larder.start()
    larder.fetch("/p")
    body = {"select": {"urls": ["http://site.test/p"]}, "mode": "hard"}
    for target in ("/api/v1/status", "/api/v1/stats", "/metrics"):
        response = larder.admin(target)
        same(response.status, 401, target)
        assert "Bearer" in response.get("WWW-Authenticate", ""), target
        same(larder.admin(target, token=read).status, 200, target)
        same(larder.admin(target, token=read + "x").status, 401, target)
        same(larder.admin(target, token=token("z", "admin")).status, 401, target)
    same(larder.admin("/api/v1/purges", "POST", body=body).status, 401)
    same(larder.admin("/api/v1/purges", "POST", body=body, token=read).status, 403)
    assert larder.fetch("/p").is_hit
    response = larder.admin("/api/v1/purges", "POST", body=body, token=purge)
    same((response.status, json.loads(response.body)["matched"]), (200, 1))
    assert larder.admin("/api/v1/stop", "POST", body={}, token=purge).status == 403
    same(larder.admin("/readyz").status, 200)


def test_a_bad_line_among_tokens(t):
    """It is named and lets nobody in; the others work, at the start and after a change."""
    larder = t.larder(t.origin(), start=False)
    read, purge = token("r", "read"), token("p", "purge")
    path = os.path.join(larder.folder, "state", "tokens")
    write_tokens(larder, read)
    with open(path, "a", encoding="ascii") as out:
        out.write(f"mine admin {token('m', 'admin')}\n")  # the token itself, not its digest
    larder.start()
    same(larder.admin("/api/v1/status", token=read).status, 200)
    same(larder.admin("/api/v1/status", token=token("m", "admin")).status, 401)
    words = f'token_ignored file="{path}" line=2 reason="the third word is not a SHA-256'
    wait_for(lambda: words in larder.output(), what=words)
    assert "mmmm" not in larder.output(), larder.output()
    with open(path, encoding="ascii") as file:
        rest = file.read().splitlines(True)[1:]
    write_tokens(larder, purge)
    with open(path, "a", encoding="ascii") as out:
        out.writelines(rest)
    wait_for(lambda: larder.admin("/api/v1/status", token=purge).status == 200, 10, "the new token")
    same(larder.admin("/api/v1/status", token=read).status, 401, "a line taken out")


def test_foreign_host_and_forms_are_refused(t):
    """DNS rebinding and cross-site forms do not reach the API."""
    larder = t.larder(t.origin(), start=False)
    admin = token("a", "admin")
    write_tokens(larder, admin)
    larder.start()
    from client import fetch
    response = fetch(larder.admin_port, "/api/v1/status", host="evil.test", headers=[("Authorization", f"Bearer {admin}")])
    same(response.status, 421)
    response = larder.admin("/api/v1/purges", "POST", token=admin, headers=[("Content-Type", "text/plain")])
    assert response.status in (400, 411, 415), response
    assert not any(name.lower().startswith("access-control") for name, _ in larder.admin("/").headers)


def test_status(t):
    origin = t.origin(default=reply("x" * 1000, cache="max-age=600"))
    larder = t.larder(origin)
    for number in range(10):
        larder.fetch(f"/{number}")
    status, answer = larder.api("/api/v1/status")
    same(status, 200)
    same((answer["state"], answer["workers"]), ("serving", 2))
    assert answer["version"] and answer["pid"] == larder.process.pid and answer["uptime_s"] >= 0
    store = answer["store"]
    same(store["disk_capacity_bytes"], 256 << 20)
    same(store["memory_capacity_bytes"], 64 << 20)
    for tier in ("memory_objects", "disk_objects"):
        wait_for(lambda tier=tier: larder.api("/api/v1/status")[1]["store"][tier] == 10, what=f"10 {tier}")


def test_metrics(t):
    origin = t.origin({"/h": reply("hit", cache="max-age=600"), "/n": reply("pass", cache="no-store")})
    larder = t.larder(origin)
    for _ in range(11):
        larder.fetch("/h")
    for _ in range(3):
        larder.fetch("/n")

    def results():
        sums = {}
        for name, value in larder.metrics().items():
            found = re.match(r'larder_requests_total\{.*result="(\w+)"', name)
            if found:
                sums[found[1]] = sums.get(found[1], 0) + value
        return sums
    wait_for(lambda: sum(results().values()) >= 14, what="all requests in the metrics")
    same((sum(results().values()), results().get("hit")), (14, 10), results())
    text = larder.admin("/metrics").body.decode()
    for name in set(re.findall(r"^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{| )", text, re.M)):
        assert f"# TYPE {name} " in text or f"# TYPE {name}_" in text or re.search(rf"# TYPE {name}\w* ", text), name
    larder.admin("/healthz")
    same(sum(results().values()), 14, "admin requests count as site traffic")


def test_the_time_of_hits_is_ours_alone(t):
    """Followers and validations wait for the origin: they do not count in the time of hits."""
    origin = t.origin({"/slow": reply("x", cache="max-age=600", delay=0.4),
                       "/check": reply("y", cache="no-cache", etag='"1"')})
    larder = t.larder(origin)
    crowd = [larder.client() for _ in range(3)]
    for client in crowd:
        client.request("/slow")
    same([client.read_response().status for client in crowd], [200] * 3)
    same(origin.count("/slow"), 1)
    same([larder.fetch("/check").status for _ in range(3)], [200] * 3)
    assert larder.fetch("/slow").is_hit

    def count(result):
        return larder.metrics().get(f'larder_request_duration_seconds_count{{result="{result}"}}')
    wait_for(lambda: (count("hit") or 0) + (count("miss") or 0) == 7, what="all seven in the figures")
    same((count("hit"), count("miss")), (1, 6))


def test_stats_move(t):
    larder = t.larder(t.origin({"/h": reply("hit", cache="max-age=600")}))
    for _ in range(20):
        larder.fetch("/h")

    def moved():
        status, answer = larder.api("/api/v1/stats?range=5m")
        return status == 200 and "19" in json.dumps(answer)
    wait_for(moved, 10, "19 hits in /api/v1/stats", 0.5)


def test_dashboard_is_served(t):
    larder = t.larder(t.origin())
    response = larder.admin("/")
    same(response.status, 200)
    assert b"<html" in response.body.lower() or b"<!doctype html" in response.body.lower()
    assert "default-src 'none'" in response.get("Content-Security-Policy", ""), response.raw_head
    assert b"http://" not in response.body.replace(b"http://www.w3.org", b"") and b"https://" not in response.body


def test_cli_status(t):
    larder = t.larder(t.origin({"/h": reply("hit", cache="max-age=600")}))
    larder.fetch("/h")
    done = larder.command("status", check=0)
    assert "serving" in done.stdout, done.stdout
    answer = json.loads(larder.command("status", "--json", check=0).stdout)
    same((answer["verdict"], answer["status"]["pid"]), ("ok", larder.process.pid))
    larder.stop()
    done = larder.command("status")
    assert done.returncode not in (0, -6, -11) and done.stderr.strip(), (done.returncode, done.stdout, done.stderr)


def test_cli_check(t):
    larder = t.larder(t.origin(), start=False)
    larder.cli("check", larder.config_path, check=0)
    path = os.path.join(larder.folder, "bad.conf")
    with open(path, "w", encoding="ascii") as out:
        out.write("listen :8080;\nstore { memroy 2G; size lots; }\nsite * { origins { server a http://127.0.0.1:1; } }\n")
    done = larder.cli("check", path, check=1)
    text = done.stdout + done.stderr
    for wanted in (f"{path}:2:9", "memroy", "memory", "size", "^"):
        assert wanted in text, f"{wanted!r} is not in:\n{text}"
    larder.cli("check", os.path.join(larder.folder, "absent.conf"), check=2)
    done = larder.cli("run", "-c", path)
    assert done.returncode not in (0, -6, -11) and "memroy" in done.stderr + done.stdout


def test_cli_errors(t):
    larder = t.larder(t.origin(), start=False)
    for words in ((), ("nonsense",), ("run", "--nonsense"), ("purge", "--nonsense")):
        done = larder.cli(*words)
        assert done.returncode not in (0, -6, -11), words
        assert done.stderr.strip() or done.stdout.strip(), words
    same(larder.cli("version").returncode, 0)
    same(larder.cli("help").returncode, 0)


def records_of(larder, count):
    wait_for(lambda: len(larder.access_lines()) >= count, 10, f"{count} lines in the access log")
    return larder.access_lines()


def test_access_log_json(t):
    origin = t.origin({"/h": reply("hit", cache="max-age=600"), "/n": reply("pass", cache="no-store")})
    larder = t.larder(origin, workers=1)  # two may write their lines in any order
    larder.fetch("/h", headers=[("User-Agent", 'odd "agent"\\'), ("Referer", "http://x.test/")])
    larder.fetch("/h?a=1&b=2")
    larder.fetch("/h")
    larder.fetch("/n", "POST", body=b"x")
    larder.fetch("/absent")
    lines = [json.loads(line) for line in records_of(larder, 5)]
    same(len(lines), 5)
    by = {(line["method"], line["path"], line.get("query", "")): line for line in lines if line["result"] != "hit"}
    first = by[("GET", "/h", "")]
    same((first["status"], first["host"], first["client"], first["ua"]), (200, "site.test", "127.0.0.1", 'odd "agent"\\'))
    same((first["result"], first["stored"], first["origin_status"]), ("miss", True, 200))
    same([line["result"] for line in lines if line["path"] == "/h" and not line.get("query")], ["miss", "hit"])
    assert ("GET", "/h", "a=1&b=2") in by or ("GET", "/h", "?a=1&b=2") in by, by.keys()
    same(by[("POST", "/n", "")]["result"], "pass")
    same(by[("GET", "/absent", "")]["status"], 404)
    for line in lines:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", line["ts"]), line["ts"]
        assert 0 <= line["total_s"] < 30
    same(len({line["request_id"] for line in lines}), 5)


def test_access_log_combined(t):
    larder = t.larder(t.origin({"/h": reply("hello", cache="max-age=600")}), access="combined", workers=1)
    larder.fetch("/h?q=1", headers=[("User-Agent", "a\"b\\c\xe9"), ("Referer", "http://x.test/")])
    larder.fetch("/h?q=1")
    lines = records_of(larder, 2)
    for line, result in zip(lines, ("miss", "hit")):
        found = re.match(r'(\S+) - - \[[^]]+\] "GET /h\?q=1 HTTP/1\.1" 200 \d+ "(.*?)" "(.*)" (\w+) ', line)
        assert found, line
        same((found[1], found[4]), ("127.0.0.1", result))
    assert "\xe9" not in lines[0] and '"a"b' not in lines[0], lines[0]


def test_log_lines_cannot_be_forged(t):
    larder = t.larder(t.origin(default=reply("x", cache="no-store")))
    larder.fetch("/a%0A%22", headers=[("User-Agent", "x\t\x80y")])
    larder.fetch("/b")
    lines = records_of(larder, 2)
    same(len(lines), 2)
    for line in lines:
        json.loads(line)


def test_log_is_reopened(t):
    larder = t.larder(t.origin(default=reply("x", cache="no-store")))
    larder.fetch("/before")
    records_of(larder, 1)
    moved = larder.access_path + ".1"
    os.rename(larder.access_path, moved)
    larder.signal(signal.SIGUSR1)
    wait_for(lambda: os.path.exists(larder.access_path), 10, "the new log file")
    larder.fetch("/after")
    lines = records_of(larder, 1)
    same([json.loads(line)["path"] for line in lines], ["/after"])
    with open(moved, encoding="utf-8") as data:
        same(len(data.readlines()), 1)


def test_log_into_a_pipe(t):
    """Nobody reads it: said at the start. Nobody reads it any more: requests and the stop go on."""
    larder = t.larder(t.origin(default=reply("x", cache="max-age=60")), start=False)
    os.mkfifo(larder.access_path)
    larder.start()
    wait_for(lambda: "error access_log_open" in larder.output(), what="the word at the start")
    same(larder.fetch("/").status, 200)
    larder.stop()
    reader = os.open(larder.access_path, os.O_RDONLY | os.O_NONBLOCK)
    larder.start()
    with larder.client() as client:
        for number in range(3000):  # far more than a pipe holds
            client.request(f"/{number % 10}?{'x' * 200}")
            same(client.read_response().status, 200)
    larder.stop()
    assert os.read(reader, 100).startswith(b"{")
    os.close(reader)


def test_every_request_is_logged(t):
    larder = t.larder(t.origin({"/h": reply("x", cache="max-age=600")}))
    with larder.client() as client:
        for _ in range(2000):
            client.send(b"GET /h HTTP/1.1\r\nHost: site.test\r\n\r\n")
        for _ in range(2000):
            same(client.read_response().status, 200)
    larder.stop()
    same(len(larder.access_lines()), 2000)


HALVES = (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"", b"GET / HT",
          b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 90\r\n"
          b"\r\n{")


def test_half_requests_keep_nobody_out(t):
    """More of them than the door has places, from the operator's own address. What is being answered stays."""
    larder = t.larder(t.origin(), start=False)
    read = token("r", "read")
    write_tokens(larder, read)
    larder.start()
    stream = Client(larder.admin_port)
    stream.request("/api/v1/events?topics=stats", host="localhost", headers=[("Authorization", f"Bearer {read}")])
    same(stream.read_head().status, 200)
    held, times = [], []
    for _ in range(3):
        for number in range(300):
            held.append(Client(larder.admin_port))
            held[-1].send(HALVES[number % len(HALVES)])
        for target in ("/", "/readyz", "/metrics"):
            begin = time.monotonic()
            same(larder.admin(target).status, 200, target)
            times.append(time.monotonic() - begin)
    assert max(times) < 7, times  # by themselves half requests end after 10 s
    wait_for(lambda: "admin_crowded" in larder.output(), what="the word in the log")
    assert larder.output().count("admin_crowded") < 4, larder.output()  # one for each crowd, not for each of the 900
    stream.buffer = b""
    wait_for(lambda: stream.fill() and len(stream.buffer) > 50, 10, "the next event")
    for client in (*held, stream):
        client.close()


def test_half_requests_end_soon(t):
    larder = t.larder(t.origin())
    begin = time.monotonic()
    held = [Client(larder.admin_port) for _ in HALVES]
    for client, data in zip(held, HALVES):
        client.send(data)
    with Client(larder.admin_port) as idle:  # a browser's connection stays for longer
        idle.request("/readyz", host="localhost")
        same(idle.read_response().status, 200)
        for client in held:
            assert client.is_closed(20)
        assert time.monotonic() - begin < 25, "10 s for half requests, 30 for what has asked before"
        idle.request("/readyz", host="localhost")
        same(idle.read_response().status, 200)


def test_admin_does_not_hold_up_clients(t: Case):
    """Slow and broken admin clients leave the data path alone."""
    larder = t.larder(t.origin({"/h": reply("x", cache="max-age=600")}))
    larder.fetch("/h")
    clients = [Client(larder.admin_port) for _ in range(60)]
    for number, client in enumerate(clients):
        client.send(["GET /metr", "POST /api/v1/purges HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
                     "\0\0\0\r\n\r\n"][number % 3])
    for _ in range(50):
        begin = time.monotonic()
        same(larder.fetch("/h").status, 200)
        assert time.monotonic() - begin < 7, "it waited for half requests to the admin server, which end after 10 s"
    for client in clients:
        client.close()
    same(larder.admin("/healthz").status, 200)
