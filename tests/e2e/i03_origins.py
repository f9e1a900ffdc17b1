"""What operators see of the origins and do with them: API, command line, metrics, problems, explain."""
import json
import re
import subprocess
import threading

from case import Client, Skip, reply, same, wait_for
from i01_admin import token, write_tokens


def pools(t, settings="", names="abc", words=(), start=True, **options):
    """Pool app of so many servers, used by two sites; each server says its name."""
    origins = {name: t.origin(default=reply(name, cache="no-store")) for name in names}
    servers = "".join(f"    server {name} http://127.0.0.1:{origin.port} {words[i] if words else ''};\n"
                      for i, (name, origin) in enumerate(origins.items()))
    sites = f"""
origins app {{
{servers}    {settings}
}}
site www.test {{ origins app; }}
site shop.test {{ origins app; }}
site own.test {{ origins {{ server only http://127.0.0.1:{origins[names[0]].port}; }} }}
"""
    return t.larder(sites=sites, start=start, **options), origins


def pool_of(larder, name="app"):
    status, answer = larder.api("/api/v1/origins")
    same(status, 200)
    return next(pool for pool in answer["pools"] if pool["name"] == name)


def server_of(larder, name, pool="app"):
    return next(server for server in pool_of(larder, pool)["servers"] if server["name"] == name)


def order(larder, server, state, **more):
    return larder.api(f"/api/v1/origins/{server}", "POST", {"state": state, **more})


def asked(larder, count=12, host="www.test"):
    """Who answered so many requests."""
    return {larder.fetch(f"/{number}", host=host).body.decode() for number in range(count)}


def problems(larder):
    return [problem for problem in larder.api("/api/v1/status")[1]["problems"] if problem["now"]]


def test_list(t):
    larder, origins = pools(t, "balance least_conn; queue size=7 timeout=3s;", words=("weight=3 max=5", "", "backup"))
    for number in range(8):
        larder.fetch(f"/{number}", host="shop.test")
    wait_for(lambda: sum(s["responses"]["2xx"] for s in pool_of(larder)["servers"]) == 8, 5, "all are over")
    app, own = pool_of(larder), pool_of(larder, "own.test")
    same((app["sites"], app["balance"], app["up"], app["warning"]),
         (["www.test", "shop.test"], "least connections", 3, ""))
    same((app["queue"]["size"], app["queue"]["timeout_s"], app["queue"]["waiting"]), (7, 3, 0))
    same((own["sites"], own["up"]), (["own.test"], 1))
    a, b, c = app["servers"]
    same([(s["name"], s["weight"], s["max"], s["backup"]) for s in app["servers"]],
         [("a", 3, 5, False), ("b", 1, None, False), ("c", 1, None, True)])
    same(a["url"], f"http://127.0.0.1:{origins['a'].port}")
    same(a["requests"] + b["requests"], 8)
    same(c["requests"], 0)
    assert a["requests_per_s"] > 0 and a["first_byte_p50_ms"] > 0, a
    assert c["first_byte_p50_ms"] is None, c
    same((a["state"], a["errors"], a["is_last"], own["servers"][0]["is_last"]), ("up", {}, False, True))


def test_drain_and_maintenance(t):
    """Who is taken out gets nothing more, with a reason and a since, over a reload too; `up` brings it back."""
    larder, _ = pools(t)
    same(asked(larder), {"a", "b", "c"})
    status, answer = order(larder, "app/a", "drain", reason="deploy 8812")
    same((status, answer["pool"], answer["server"], answer["state"], answer["up"], answer["warning"]),
         (200, "app", "a", "drain", 2, ""))
    same(order(larder, "app/b", "maintenance")[0], 200)
    same(asked(larder), {"c"})
    a = server_of(larder, "a")
    same((a["state"], a["reason"]), ("drain", "deploy 8812"))
    assert re.match(r"\d{4}-\d\d-\d\dT", a["since"]) and a["by"].startswith("unix:"), a
    larder.command("reload", check=0)
    same([s["state"] for s in pool_of(larder)["servers"]], ["drain", "maintenance", "up"])
    same(asked(larder), {"c"})
    same(server_of(larder, "a")["since"], a["since"], "since over a reload")
    order(larder, "app/a", "up")
    order(larder, "app/b", "up")
    same(asked(larder), {"a", "b", "c"})
    assert "origin_state_set pool=app server=a state=drain by=unix:" in larder.output(), larder.output()


def test_nothing_is_left(t):
    """The answer says so, status is critical, visitors get 503; then all is well again."""
    larder, _ = pools(t, names="a")
    same(larder.command("status").returncode, 0)
    status, answer = order(larder, "app/a", "maintenance", reason="new disks")
    same((status, answer["up"], answer["warning"]),
         (200, 0, "no server of pool app is left: visitors get stale copies, then 503"))
    same(pool_of(larder)["warning"], answer["warning"])
    same(larder.fetch("/", host="www.test").status, 503)
    now = problems(larder)
    same([(p["level"], p["event"]) for p in now], [("error", "pool_empty")])
    assert now[0]["text"].startswith("No server of pool app is left") and now[0]["since"], now
    done = larder.command("status")
    same(done.returncode, 2)
    assert "No server of pool app is left" in done.stdout and "(for " in done.stdout, done.stdout
    order(larder, "app/a", "up")
    same(problems(larder), [])
    same(larder.fetch("/", host="www.test").status, 200)


def test_refusals(t):
    larder, _ = pools(t)
    status, answer = order(larder, "nobody/a", "drain")
    same((status, answer["names"]), (404, ["app", "own.test"]))
    assert "app" in answer["detail"], answer
    status, answer = order(larder, "app/d", "drain")
    same((status, answer["names"]), (404, ["a", "b", "c"]))
    same(larder.api("/api/v1/origins/app/d/check", "POST", {})[0], 404)
    for path in ("app", "app/", "/a", "app/a/b", "app/a/check/c"):
        same(larder.api(f"/api/v1/origins/{path}", "POST", {"state": "drain"})[0], 404, path)
    for body, pointer in (({"state": "off"}, "/state"), ({}, "/state"), ({"state": 1}, "/state"),
                          ({"state": "down"}, "/state"), ({"state": "up", "reason": 1}, "/reason"),
                          ({"state": "up", "until": "x"}, "")):
        status, answer = larder.api("/api/v1/origins/app/a", "POST", body)
        same((status, answer["errors"][0]["pointer"]), (422, pointer), body)
    same(larder.api("/api/v1/origins/app/a", "GET")[0], 405)
    same([s["state"] for s in pool_of(larder)["servers"]], ["up"] * 3)


def test_scopes(t):
    larder, _ = pools(t, start=False)
    read, purge, admin = token("r", "read"), token("p", "purge"), token("a", "admin")
    write_tokens(larder, read, purge, admin)
    larder.start()
    same(larder.admin("/api/v1/origins").status, 401)
    same(larder.admin("/api/v1/origins", token=read).status, 200)
    body = {"state": "drain", "reason": "x"}
    for weak in (read, purge):
        same(larder.admin("/api/v1/origins/app/a", "POST", body=body, token=weak).status, 403)
        same(larder.admin("/api/v1/origins/app/a/check", "POST", body={}, token=weak).status, 403)
    same(larder.admin("/api/v1/origins/app/a", "POST", body=body, token=admin).status, 200)
    same((server_of(larder, "a")["state"], server_of(larder, "a")["by"]), ("drain", "token:a"))


def test_a_server_that_dies(t):
    """Checks find it: a reason, a since, a problem, exit status 1; the others serve."""
    larder, origins = pools(t, "check GET /check every=200ms timeout=8s fall=2 rise=2;")
    wait_for(lambda: all(s["last_check"] for s in pool_of(larder)["servers"]), 10, "first checks")
    same(server_of(larder, "b")["last_check"]["result"], "passed")
    origins["b"].shut()
    wait_for(lambda: server_of(larder, "b")["state"] == "down", 10, "b is down")
    b = server_of(larder, "b")
    assert b["reason"] and b["since"] and b["last_check"]["result"] == "failed", b
    assert b["checks_failed"] >= 2, b
    now = problems(larder)
    same([(p["level"], p["event"]) for p in now], [("warn", "origin_down")])
    assert now[0]["text"].startswith("app/b is down: "), now
    same(larder.command("status").returncode, 1)
    same(asked(larder), {"a", "c"})
    same(larder.metrics()['larder_origin_up{pool="app",origin="b"}'], 0)
    origins["b"].listen()
    wait_for(lambda: server_of(larder, "b")["state"] == "up", 10, "b is back")
    same(problems(larder), [])
    same(larder.command("status").returncode, 0)


def test_full_queue_is_a_problem(t):
    larder, _ = pools(t, "queue size=0;", names="a", words=("max=1",), start=False)
    larder.start()
    gate = threading.Event()

    def slow(conn, request):
        gate.wait(60)
        reply("slow", cache="no-store")(conn, request)
    t.origins[0].default = slow
    with larder.client() as busy:
        busy.request("/1", host="www.test")
        wait_for(lambda: server_of(larder, "a")["active"] == 1, 5, "one under way")
        same(larder.fetch("/2", host="www.test").status, 503)
        gate.set()
        busy.read_response()
    same([p["event"] for p in problems(larder)], ["queue_full"])
    assert pool_of(larder)["queue"]["full_at"], pool_of(larder)
    name = 'larder_origin_refused_total{pool="app",reason="queue_full"}'
    wait_for(lambda: larder.metrics()[name] == 1, what="the count")
    same(larder.command("status").returncode, 1)


def test_commands(t):
    larder, origins = pools(t)
    out = larder.command("origins", check=0).stdout
    assert "pool app: 3 of 3 may be asked, round robin; used by www.test, shop.test" in out, out
    assert re.search(r"server +state +for +requests/s +errors/min +first byte p50, p95 +active +last check", out), out
    same(len(re.findall(r"^  [abc] +up ", out, re.M)), 3, out)
    out = larder.command("origins", "drain", "app/b", "--reason", "deploy 8812", check=0).stdout
    assert out == "app/b is in state drain; 2 servers of pool app may be asked\n", out
    out = larder.command("origins", "list", check=0).stdout
    assert re.search(r"^  b +drain .*\n +deploy 8812, by unix:", out, re.M), out
    same(asked(larder), {"a", "c"})
    out = larder.command("origins", "up", "app/b", check=0).stdout
    assert "3 servers of pool app may be asked" in out, out
    answer = json.loads(larder.command("origins", "--json", check=0).stdout)
    same([pool["name"] for pool in answer["pools"]], ["app", "own.test"])
    out = larder.command("origins", "check", "app/a", check=0).stdout
    assert out.startswith("app/a: the check passed in "), out
    origins["a"].shut()
    out = larder.command("origins", "check", "app/a", check=1).stdout
    assert out.startswith("app/a: the check failed in "), out


def test_commands_ask_before_the_last(t):
    larder, _ = pools(t, names="ab")
    larder.command("origins", "drain", "app/a", check=0)
    done = larder.command("origins", "maintenance", "app/b", check=1)
    assert "nothing was changed" in done.stderr and "--yes" in done.stderr, done.stderr
    same(server_of(larder, "b")["state"], "up")
    done = larder.command("origins", "maintenance", "app/b", "--yes", check=0)
    assert "no server of pool app is left" in done.stdout, done.stdout
    out = larder.command("origins", check=0).stdout
    assert "warning: no server of pool app is left" in out, out


def test_commands_misused(t):
    larder, _ = pools(t)
    for words, wanted in ((("drian", "app/a"), "did you mean \"drain\"?"), (("drain",), "which server?"),
                          (("drain", "app"), "POOL/SERVER"), (("list", "app"), "takes no name")):
        done = larder.command("origins", *words, check=2)
        assert wanted in done.stderr, (words, done.stderr)
    done = larder.command("origins", "drain", "app/x", check=1)
    assert "its servers: a, b, c" in done.stderr, done.stderr


def test_metrics(t):
    larder, origins = pools(t)
    asked(larder, 6)
    origins["c"].shut()
    for number in range(9):
        larder.fetch(f"/x{number}", host="www.test")
    wait_for(lambda: not any(s["active"] for s in pool_of(larder)["servers"]), 5, "all are over")
    wait_for(lambda: sum(value for name, value in larder.metrics().items()
                         if name.startswith('larder_responses_total{site="www.test"')) == 15, what="15 responses counted")
    metrics = larder.metrics()

    def of(name, origin, **labels):
        more = "".join(f',{key.rstrip("_")}="{value}"' for key, value in labels.items())
        return metrics[f'{name}{{pool="app",origin="{origin}"{more}}}']
    same(sum(of("larder_origin_requests_total", name, class_="2xx") for name in "ab"),
         metrics['larder_responses_total{site="www.test",class="2xx"}']
         - of("larder_origin_requests_total", "c", class_="2xx"))
    assert of("larder_origin_errors_total", "c", reason="connect_refused") >= 1, metrics
    same(of("larder_origin_errors_total", "a", reason="connect_refused"), 0)
    same(of("larder_origin_active", "a"), 0)
    assert of("larder_origin_bytes_total", "a") > 0
    same(of("larder_origin_duration_seconds_count", "a", phase="first_byte"),
         of("larder_origin_requests_total", "a", class_="2xx"))
    same(metrics['larder_origin_pool_servers{pool="app"}'], 3)
    same(metrics['larder_origin_queue_waiting{pool="app"}'], 0)
    same(metrics['larder_origin_queue_size{pool="app"}'], 1000)
    text = larder.admin("/metrics").body.decode()
    names = re.findall(r"^# TYPE (\S+) ", text, re.M)
    same(sorted(names), sorted(set(names)), "each metric once")
    buckets = [float(n) for n in re.findall(
        r'^larder_origin_duration_seconds_bucket\{pool="app",origin="a",.*\} (\d+)$', text, re.M)]
    assert len(buckets) > 15 and buckets == sorted(buckets) and buckets[-1] > 0, buckets


def test_promtool(t):
    """The whole page, as Prometheus itself reads it."""
    larder, _ = pools(t)
    asked(larder)
    try:
        done = subprocess.run(["promtool", "check", "metrics"], input=larder.admin("/metrics").body,
                              capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        raise Skip("promtool is not installed") from None
    same(done.returncode, 0, done.stdout + done.stderr)


def test_stream(t):
    """The dashboard's stream begins with the origins and goes on with them."""
    larder, _ = pools(t)
    with Client(larder.admin_port) as client:
        secret = token("s", "admin")
        write_tokens(larder, secret)
        wait_for(lambda: larder.admin("/api/v1/origins", token=secret).status == 200, 10, "the token")
        client.request("/api/v1/events", host="localhost", headers=[("Authorization", f"Bearer {secret}")])
        text = b""
        while not re.search(rb"event: origins\r?\ndata: .*\n", text):
            text += client.socket.recv(65536)
    text = re.sub(rb"\r\n[0-9A-Fa-f]+\r\n", b"", text.partition(b"\r\n\r\n")[2])  # chunks
    snapshot = json.loads(re.search(rb"event: snapshot\r?\ndata: (.*)\n", text).group(1))
    same([pool["name"] for pool in snapshot["origins"]["pools"]], ["app", "own.test"])
    assert re.search(rb'event: origins\r?\ndata: \{"pools":\[\{"name":"app"', text), text[-500:]


def test_explain(t):
    """Which pool and why, the server where it is certain, and how they all are."""
    larder, origins = pools(t, "balance hash url;")
    larder.write_config(larder.config().replace(
        "site own.test {", "site own.test {\n    rule path /app/* { origins app; }"))
    larder.command("reload", check=0)

    def explain(url, *fields):
        return larder.api("/api/v1/explain", "POST", {"url": url, "headers": list(fields)})[1]
    for number in range(12):
        found = explain(f"http://www.test/{number}")["origin"]
        same((found["pool"], [s["name"] for s in found["servers"]]), ("app", ["a", "b", "c"]))
        same(larder.fetch(f"/{number}", host="www.test").body.decode(), found["server"])
    setting = next(s for s in explain("http://own.test/app/1")["settings"] if s["name"] == "origins")
    same((setting["value"], setting["from"]), ("app", "rule"))
    assert setting["at"].startswith(f"{larder.config_path}:"), setting
    own = explain("http://own.test/1")
    same((own["origin"]["pool"], own["origin"]["server"]), ("own.test", "only"))
    setting = next(s for s in own["settings"] if s["name"] == "origins")
    same((setting["value"], setting["from"]), ("own.test", "site"))
    order(larder, "app/a", "drain", reason="deploy")
    order(larder, "app/b", "drain")
    same(explain("http://www.test/1")["origin"]["server"], "c")
    out = larder.command("explain", "http://www.test/1", check=0).stdout
    assert re.search(r"^origin +app, server c of: a drain \(deploy\), b drain, c up$", out, re.M), out


def test_explain_takes_no_turn(t):
    larder, _ = pools(t, names="ab")
    same(larder.api("/api/v1/explain", "POST", {"url": "http://www.test/"})[1]["origin"]["server"], None)
    seen = []
    for number in range(6):
        for _ in range(number % 3):
            larder.command("explain", "http://www.test/x", check=0)
        seen.append(larder.fetch(f"/{number}", host="www.test").body.decode())
    same(seen[0::2] + seen[1::2], [seen[0]] * 3 + [seen[1]] * 3, "in turn")
    assert seen[0] != seen[1], seen
