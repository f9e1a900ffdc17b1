"""What is shown of the forward proxies: metrics, API, log and commands, counted exactly after scripted traffic."""
import json
import os
import subprocess
import time

from case import Client, Skip, free_port, reply, same, wait_for
from forwarding import ACL
from w10_users import basic, hashed, write


def office(t, origin, block="", more="", **words):
    """A daemon with a forward proxy "office" before the site."""
    port = free_port()
    larder = t.larder(origin, extra=f"""
listen 127.0.0.1:{port} {{ forward office; }}
forward office {{ {ACL} {block} }}
{more}""", **words)
    larder.proxy_port = port
    return larder


def ask(larder, url, method="GET", source=None, headers=(), body=None):
    """One request to the forward proxy."""
    host = url.split("//", 1)[-1].split("/", 1)[0]
    with Client(larder.proxy_port, source=source) as client:
        client.request(url, method, host=host, headers=[*headers, ("Connection", "close")], body=body)
        return client.read_response(method)


def get(larder, path):
    status, answer = larder.api(path)
    same(status, 200, path)
    return answer


def forward_of(larder, name="office"):
    found = [one for one in get(larder, "/api/v1/access")["forwards"] if one["name"] == name]
    same(len(found), 1, "forward proxies of that name")
    return found[0]


def records(larder, count):
    """The log's lines of the forward proxy."""
    def there():
        lines = [one for one in larder.access_records() if one["site"].startswith("forward:")]
        return lines if len(lines) >= count else None
    return wait_for(there, 10, f"{count} log lines")


def test_without_forward_nothing(t):
    larder = t.larder(t.origin())
    same(get(larder, "/api/v1/access")["forwards"], [])
    same(get(larder, "/api/v1/status")["forwards"], [])
    assert "no forward proxy is configured" in larder.command("access", check=0).stdout
    same([name for name in larder.metrics() if name.startswith("larder_forward")], [])
    same(larder.admin("/api/v1/access").status, 401)


def test_counts_are_exact(t):
    """Whatever the log's setting is: two hits of one stored response, and a limit that denies the fourth."""
    origin = t.origin({"/a": reply("x" * 1000, cache="max-age=600")})
    larder = office(t, origin, "limit requests 1/m burst=3;", access="off")
    url = f"http://127.0.0.1:{origin.port}/a"
    same([ask(larder, url).status for _ in range(5)], [200, 200, 200, 429, 429])
    same(origin.count("/a"), 1)
    wait_for(lambda: forward_of(larder)["requests"] == 5, 10, "five ended requests")
    at = forward_of(larder)
    same((at["requests"], at["denied"], at["tunnels"]), (5, 2, 0))
    same(at["listens"], [f"127.0.0.1:{larder.proxy_port}"])
    assert at["at"].startswith(larder.config_path + ":"), at
    counted = {rule["name"]: (rule["allowed"], rule["denied"]) for rule in at["rules"]}
    same(counted["limit"], (0, 2))
    same(sum(allowed for allowed, _ in counted.values()), 3)
    metrics = larder.metrics()
    same(metrics['larder_forward_requests_total{forward="office"}'], 5)
    same(metrics['larder_forward_denied_total{forward="office",acl="limit"}'], 2)
    same(metrics['larder_requests_total{site="forward:office",result="denied"}'], 2)
    wait_for(lambda: get(larder, "/api/v1/access/denials")["seen"] == 2, 10, "two denials")
    items = get(larder, "/api/v1/access/denials?limit=1")
    same((len(items["items"]), items["next"]), (1, "2"))
    one = items["items"][0]
    same((one["forward"], one["client"], one["method"], one["scheme"], one["host"], one["port"], one["path"], one["status"],
          one["rule"]), ("office", "127.0.0.1", "GET", "http", "127.0.0.1", origin.port, "/a", 429, "limit"))
    assert one["reason"].startswith("too many requests"), one
    rest = get(larder, f"/api/v1/access/denials?limit=5&cursor={items['next']}")
    same(([one["id"] for one in rest["items"]], rest["next"]), ([1], None))
    same(get(larder, "/api/v1/access/denials?rule=other")["items"], [])
    same(larder.api("/api/v1/access/denials?forward=lab")[0], 404)


def test_lists(t):
    origin = t.origin({"/a": reply("x" * 1000, cache="no-store"), "/b": reply("y", cache="no-store")})
    larder = office(t, origin, "limit requests 1/m burst=4 key=client;")
    for source, path, count in (("127.0.0.1", "/a", 5), ("127.0.0.2", "/b", 2)):
        for _ in range(count):
            ask(larder, f"http://127.0.0.1:{origin.port}{path}", source=source)
    ask(larder, f"http://localhost.test:{origin.port}/none", source="127.0.0.3")
    records(larder, 8)

    def items(path):
        return get(larder, path)["items"]
    hosts = items("/api/v1/access/destinations")
    same([(one["host"], one["requests"], one["denied"]) for one in hosts], [("127.0.0.1", 7, 1), ("localhost.test", 1, 0)])
    assert hosts[0]["bytes_to_client"] >= 4000 and hosts[0]["bytes"] >= hosts[0]["bytes_to_client"], hosts
    clients = items("/api/v1/access/clients?forward=office")
    same([(one["client"], one["requests"], one["denied"]) for one in clients],
         [("127.0.0.1", 5, 1), ("127.0.0.2", 2, 0), ("127.0.0.3", 1, 0)])
    same([one["client"] for one in items("/api/v1/access/clients?by=denied")], ["127.0.0.1"])
    same(len(items("/api/v1/access/clients?limit=2")), 2)
    same(items("/api/v1/access/users"), [])
    same(larder.api("/api/v1/access/clients?by=name")[0], 400)
    out = larder.command("access", "destinations", check=0).stdout
    assert out.splitlines()[1].split()[0] == "7" and out.splitlines()[1].endswith("127.0.0.1"), out
    out = larder.command("access", "denials", check=0).stdout
    same((len(out.splitlines()), out.split()[:5]), (2, ["time", "reference", "client", "user", "rule"]))
    for word in ("127.0.0.1", "limit", "GET", f"http://127.0.0.1:{origin.port}/a", "too many requests"):
        assert word in out, (word, out)
    out = larder.command("access", "clients", "--by", "denied", check=0).stdout
    same(len(out.splitlines()), 2)
    out = json.loads(larder.command("access", "clients", "--limit", "1", "--json", check=0).stdout)
    same(len(out["items"]), 1)
    out = larder.command("access", check=0).stdout
    assert out.startswith("office: 8 requests, 1 denied"), out
    larder.command("access", "clients", "--rule", "x", check=2)
    larder.command("access", "client", check=2)
    assert "no forward proxy" in larder.command("access", "users", "--forward", "lab", check=2).stderr


def test_log_lines(t):
    origin = t.origin({"/a": reply("x", cache="no-store")})
    larder = office(t, origin, "limit requests 1/m burst=1;", workers=1)
    url = f"http://127.0.0.1:{origin.port}/a?q=1"
    same([ask(larder, url).status for _ in range(2)], [200, 429])
    good, bad = records(larder, 2)
    same((good["site"], good["host"], good["path"], good["query"], good["user"], good["result"]),
         ("forward:office", f"127.0.0.1:{origin.port}", "/a", "q=1", "", "miss"))
    assert "why" not in good, good
    same((bad["result"], bad["rule"], bad["reason"], bad["status"]), ("denied", "limit", "limit_requests", 429))
    assert bad["why"].startswith("too many requests"), bad
    larder.write_config(access="combined")
    larder.command("reload", check=0)
    ask(larder, url)
    line = wait_for(lambda: [at for at in larder.access_lines() if not at.startswith("{")], 10, "a combined line")[0]
    assert f'"GET {url} HTTP/1.1" 429 ' in line and " denied rule:limit " in line and line.endswith(" forward:office"), line
    same(line.split(" [")[0], "127.0.0.1 - -")


def test_purge_reaches_the_forward_proxies(t):
    origin = t.origin({"/a": reply("x", cache="max-age=600"), "/b": reply("x", cache="max-age=600")})
    lab = free_port()
    larder = office(t, origin, more=f"listen 127.0.0.1:{lab} {{ forward lab; }} forward lab {{ {ACL} }}")
    url = f"http://127.0.0.1:{origin.port}/a"
    authority = f"127.0.0.1:{origin.port}"

    def fill(path="/a"):
        """In three caches: of the site, of office, of lab."""
        larder.fetch(path, host=authority)
        ask(larder, f"http://{authority}{path}")
        with Client(lab) as client:
            client.request(f"http://{authority}{path}", host=authority)
            client.read_response()

    def purge(*words):
        done = larder.command("purge", "--hard", "--url", url, "--json", *words, check=0)
        return json.loads(done.stdout)["matched"]
    fill()
    fill()
    same(origin.count("/a"), 3)
    same(purge("--dry-run"), 3)
    same(purge("--site", "forward:lab"), 1)
    same(purge("--dry-run"), 2)
    same(purge("--site", "*"), 1)
    same(purge("--dry-run"), 1)
    assert ask(larder, url).is_hit
    same(purge(), 1)
    assert not ask(larder, url).is_hit
    fill("/b")
    before = origin.count("/b")
    fill("/b")
    same(origin.count("/b"), before)
    larder.purge(f"http://{authority}/b", "soft")
    fill("/b")
    same(origin.count("/b"), before + 3)
    done = larder.command("purge", "--hard", "--url", url, "--site", "forward:none", check=1)
    assert "forward:NAME" in done.stdout + done.stderr, (done.stdout, done.stderr)
    same(larder.api("/api/v1/purges", "POST", {"select": {"urls": [url], "sites": []}, "mode": "hard"})[0], 422)


def test_purge_of_named_sites_is_durable(t):
    """Also when the last URL is none of that site's."""
    origin = t.origin({"/a": reply("x", cache="max-age=600")})
    sites = f"site one.test {{ origins {{ server o http://127.0.0.1:{origin.port}; }} }}"
    larder = office(t, origin, sites=sites, store="")
    larder.fetch("/a", host="one.test")
    time.sleep(1)
    status, answer = larder.api("/api/v1/purges", "POST", {
        "select": {"urls": ["http://one.test/a", "http://two.test/"], "sites": ["one.test"]}, "mode": "hard"})
    same((status, answer["matched"], [one["matched"] for one in answer["results"]]), (200, 1, [1, 0]))
    larder.kill()
    larder.start()
    assert not larder.fetch("/a", host="one.test").is_hit


def test_tunnels_are_counted(t):
    """While they are open already, both ways, and in the log with both counts."""
    origin = t.origin({"/a": reply("x" * 5000)})
    larder = office(t, origin)
    authority = f"127.0.0.1:{origin.port}"
    with Client(larder.proxy_port) as client:
        client.request(authority, "CONNECT", host=authority)
        same(client.read_head().status, 200)
        client.request("/a", host=authority)
        answer = client.read_response()
        same(len(answer.body), 5000)
        sent = len(f"GET /a HTTP/1.1\r\nHost: {authority}\r\n\r\n")
        down = len(answer.raw_head) + 4 + 5000

        def figures():
            at = forward_of(larder)
            return (at["tunnels"], at["tunnels_total"], at["tunnel_bytes_to_origin"], at["tunnel_bytes_to_client"])
        wait_for(lambda: figures() == (1, 1, sent, down), 10, f"{(1, 1, sent, down)}, and it is {figures()}")
        metrics = larder.metrics()
        same(metrics['larder_forward_tunnels{forward="office"}'], 1)
        same(metrics['larder_forward_tunnel_bytes_total{forward="office",direction="to_client"}'], down)
        same(metrics['larder_forward_tunnel_bytes_total{forward="office",direction="to_origin"}'], sent)
    wait_for(lambda: forward_of(larder)["tunnels"] == 0, 10, "the tunnel's end")
    line = records(larder, 1)[0]
    same((line["method"], line["scheme"], line["host"], line["path"], line["received"]),
         ("CONNECT", "connect", authority, "", sent))
    assert line["bytes"] - down == len("HTTP/1.1 200 Connection Established\r\n\r\n"), line
    item = get(larder, "/api/v1/access/destinations")["items"][0]
    same((item["host"], item["requests"], item["tunnels"], item["bytes"]), ("127.0.0.1", 1, 1, line["bytes"] + sent))


def test_open_tunnels(t):
    """Of all workers in one order, by age and by bytes, and no more than asked for."""
    origin = t.origin({"/a": reply("x" * 5000), "/b": reply("y" * 50)})
    larder = office(t, origin, workers=4)
    authority = f"127.0.0.1:{origin.port}"
    clients = []
    for number in range(9):
        client = Client(larder.proxy_port, source=f"127.0.0.{number + 1}")
        clients.append(client)
        client.request(authority, "CONNECT", host=authority)
        same(client.read_head().status, 200)
        time.sleep(0.03)
    clients[4].request("/a", host=authority)
    clients[4].read_response()
    clients[7].request("/b", host=authority)
    clients[7].read_response()
    answer = get(larder, "/api/v1/access/tunnels")
    same((answer["open"], answer["complete"], answer["by"]), (9, True, "age"))
    same([one["client"] for one in answer["items"]], [f"127.0.0.{number + 1}" for number in range(9)])
    one = answer["items"][0]
    same((one["forward"], one["user"], one["host"], one["port"]), ("office", "", "127.0.0.1", origin.port))
    assert 0 < one["age_s"] < 100 and one["since"].endswith("Z"), one
    answer = get(larder, "/api/v1/access/tunnels?by=bytes&limit=2&forward=office")
    same((answer["open"], [one["client"] for one in answer["items"]]), (9, ["127.0.0.5", "127.0.0.8"]))
    assert answer["items"][0]["bytes_to_client"] > 5000, answer
    out = larder.command("access", "tunnels", "--by", "bytes", "--limit", "1", check=0).stdout
    assert out.startswith("9 tunnels are open\nopen for ") and "127.0.0.5" in out and authority in out, out
    for client in clients:
        client.close()
    wait_for(lambda: get(larder, "/api/v1/access/tunnels")["open"] == 0, 10, "their end")


def run_test(larder, *words, check=None):
    done = larder.command("access", "test", *words, "--json", check=check)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def test_access_test(t):
    """What it says is what then happens, and nothing is asked of the origin."""
    origin = t.origin({"/a": reply("x", cache="no-store")})
    larder = office(t, origin)
    url = f"http://127.0.0.1:{origin.port}/a"
    status, answer = run_test(larder, "127.0.0.1", url)
    same((status, answer["answer"]), (0, "allow") if ask(larder, url).status == 200 else (1, "deny"))
    same((answer["forward"], answer["method"], answer["scheme"], answer["host"], answer["port"], answer["path"]),
         ("office", "GET", "http", "127.0.0.1", origin.port, "/a"))
    same([one["address"] for one in answer["addresses"]], ["127.0.0.1"] if status == 0 else [])
    for words, wanted in (
            (("10.0.0.1", "https://127.0.0.1/"), ("CONNECT", "connect", "127.0.0.1", 443, "")),
            (("10.0.0.1", "127.0.0.1:8443"), ("CONNECT", "connect", "127.0.0.1", 8443, "")),
            (("10.0.0.1", "https://127.0.0.1:444/x", "--method", "GET"), ("GET", "https", "127.0.0.1", 444, "/x")),
            (("2001:db8::1", "http://[::1]:81/x?y", "--method", "POST"), ("POST", "http", "::1", 81, "/x?y"))):
        _, answer = run_test(larder, *words)
        same((answer["method"], answer["scheme"], answer["host"], answer["port"], answer["path"]), wanted, words)
    for words in (("anna", url), ("127.0.0.1", "ftp://a/"), ("127.0.0.1", url, "--forward", "lab"),
                  ("127.0.0.1", url, "--at", "noon"), ("127.0.0.1",)):
        larder.command("access", "test", *words, check=2)
    before = origin.count("/a")
    run_test(larder, "127.0.0.1", url)
    same(origin.count("/a"), before)
    same(larder.api("/api/v1/access/test", "POST", {"client": "127.0.0.1", "url": url, "colour": "red"})[0], 422)
    same(larder.api("/api/v1/access/test", "POST", {"client": "127.0.0.1"})[0], 422)
    other = t.larder(origin)
    assert "no forward proxy" in other.command("access", "test", "127.0.0.1", url, check=2).stderr


def test_quotas_are_shown(t):
    origin = t.origin({"/a": reply("x" * 20000, cache="no-store")})
    larder = office(t, origin, "quota 50K per=day key=client name=daily;", access="off")
    url = f"http://127.0.0.1:{origin.port}/a"
    same(get(larder, "/api/v1/access/quotas"), {"items": [], "total": 0})
    for _ in range(4):
        ask(larder, url)
    ask(larder, url, source="127.0.0.2")
    wait_for(lambda: forward_of(larder)["requests"] == 5, 10, "five ended requests")
    answer = get(larder, "/api/v1/access/quotas?forward=office")
    same((answer["total"], [(one["forward"], one["name"], one["per"], one["key"], one["who"]) for one in answer["items"]]),
         (2, [("office", "daily", "day", "client", "127.0.0.1"), ("office", "daily", "day", "client", "127.0.0.2")]))
    first, second = answer["items"]
    assert first["used_bytes"] >= 40000 and first["limit_bytes"] == 51200, first
    assert 20000 < second["used_bytes"] < 21000 and second["ends_at"].endswith("Z"), second
    same(len(get(larder, "/api/v1/access/quotas?limit=1")["items"]), 1)
    out = larder.command("access", "quotas", check=0).stdout
    assert "127.0.0.2" in out and "of 50.0 KiB" in out and "office/daily/client:127.0.0.2\n" in out and out.split()[0] == "share", out
    refused = ask(larder, url)
    wait_for(lambda: forward_of(larder)["requests"] == 6, 10, "the refused one")
    counted = {rule["name"]: rule["denied"] for rule in forward_of(larder)["rules"]}
    assert refused.status == 403 and counted["quota"] >= 1, (refused, counted)
    assert larder.metrics()['larder_forward_denied_total{forward="office",acl="quota"}'] >= 1


def test_logins_are_counted(t):
    import base64
    import crypt
    origin = t.origin({"/a": reply("x", cache="no-store")})
    path = f"{t.folder}/htpasswd"
    with open(path, "w", encoding="ascii") as file:
        file.write(f"anna:{crypt.crypt('secret', '$5$rounds=1000$abcdefgh')}\n")
    larder = office(t, origin, f"auth basic {path};", workers=1)
    url = f"http://127.0.0.1:{origin.port}/a"

    def login(password, user="anna"):
        word = base64.b64encode(f"{user}:{password}".encode()).decode()
        return ask(larder, url, headers=[("Proxy-Authorization", f"Basic {word}")]).status
    same([ask(larder, url).status, login("wrong"), login("wrong2", "bert"), login("secret"), login("secret")],
         [407, 407, 407, 200, 200])
    wait_for(lambda: forward_of(larder)["requests"] == 5, 10, "five ended requests")
    at = forward_of(larder)
    same((at["challenges"], at["logins_failed"], at["logins_refused"], at["denied"]), (1, 2, 0, 2), "who is asked is not denied")
    same({rule["name"]: rule["denied"] for rule in at["rules"]}["login"], 2)
    metrics = larder.metrics()
    same([metrics[f'larder_forward_logins_failed_total{{forward="office",outcome="{word}"}}']
          for word in ("wrong", "refused")], [2, 0])
    same((metrics['larder_forward_challenges_total{forward="office"}'], metrics['larder_forward_denied_total{forward="office",acl="login"}']), (1, 2))
    same((metrics["larder_forward_passwords_right_total"], metrics["larder_forward_passwords_wrong_total"]), (1, 2))
    lines = records(larder, 5)
    same([(one["status"], one["result"], one["reason"], one["user"], one["rule"]) for one in lines][:2],
         [(407, "synthetic", "challenge", "", ""), (407, "denied", "login_failed", "", "login")])
    same([one["user"] for one in lines][3:], ["anna", "anna"])
    users = get(larder, "/api/v1/access/users")["items"]
    same([(one["user"], one["requests"]) for one in users], [("anna", 2)])
    same(forward_of(larder)["users_seen"], 1)
    denials = get(larder, "/api/v1/access/denials")
    same((denials["seen"], [(one["status"], one["rule"]) for one in denials["items"]]), (2, [(407, "login")] * 2))
    assert "office: 5 requests, 2 denied, 1 asked for a password" in larder.command("access", check=0).stdout
    clients = get(larder, "/api/v1/access/clients")["items"]
    same([(one["requests"], one["denied"]) for one in clients], [(5, 2)])


def test_status_has_a_line_for_each(t):
    """Figures since the start, in text and JSON; without a forward proxy nothing is said of any."""
    origin = t.origin({"/a": reply("x", cache="max-age=600"), "/b": reply("x", cache="max-age=600")})
    larder = office(t, origin, "", "forward lab { acl { deny all; } }\nlisten 127.0.0.1:%d { forward lab; }" % free_port())
    for path, status in (("/a", 200), ("/a", 200), ("/a", 200), ("/b", 200), (":1/", 502)):
        same(ask(larder, f"http://127.0.0.1:{origin.port}{path}" if path[0] == "/" else f"http://127.0.0.1{path}").status, status)
    wait_for(lambda: forward_of(larder)["requests"] == 5 and forward_of(larder)["clients_seen"] == 1, 10, "five ended requests")
    ratio = forward_of(larder)["hit_ratio"]
    lines = [line for line in larder.command("status", check=None).stdout.splitlines() if line.startswith("forward ")]
    same(lines, [f"forward   office: 5 requests, hit ratio {ratio * 100:.1f} %, 0 denied; 0 tunnels open; 0 users and 1 client "
                 "in the last 60 min",
                 "forward   lab: 0 requests, hit ratio -, 0 denied; 0 tunnels open; 0 users and 0 clients in the last 60 min"])
    assert 0.4 <= ratio <= 0.5, ratio
    told = json.loads(larder.command("status", "--json", check=None).stdout)
    same([(one["name"], one["requests"], one["hit_ratio"]) for one in told["forwards"]], [("office", 5, ratio), ("lab", 0, None)])
    same(sorted(told), ["forwards", "status", "totals", "verdict"])
    without = t.larder(origin)
    assert "forward" not in without.command("status", check=None).stdout
    same(json.loads(without.command("status", "--json", check=None).stdout)["forwards"], [])


def line_of(larder, text):
    with open(larder.config_path, encoding="utf-8") as data:
        for number, line in enumerate(data, 1):
            if text in line:
                return f"{larder.config_path}:{number}"
    raise AssertionError(text)


RULES = """
acl {
    deny ads host ads.test *.ads.test reason="Blocked by policy";
    deny late client 127.0.0.9 time "sat-sun 00:00-24:00";
    allow anna user anna to loopback port PORT;
    allow tests host 127.0.0.1 to loopback port PORT method GET;
    deny exe host never.test;
}
"""


def with_rules(t, origin, more="", **words):
    """Like office, with rules of its own, and users of whom clients on loopback need not be."""
    port = free_port()
    rules = RULES.replace("PORT", str(origin.port))
    users = os.path.join(t.folder, "htpasswd")
    write(users, {"anna": hashed("a", 1000), "bert": hashed("b", 1000)})
    larder = t.larder(origin, extra=f"""listen 127.0.0.1:{port} {{ forward office; }}
forward office {{ auth basic {users}; auth_except 127.0.0.0/8; {rules} {more} }}""", **words)
    larder.proxy_port = port
    return larder


def test_denials_by_rule(t):
    """Each rule's count, text and line; what is built in behind them; the log and the metrics say the same."""
    origin = t.origin({"/a": reply("x", cache="no-store")})
    larder = with_rules(t, origin)
    here = f"http://127.0.0.1:{origin.port}/a"
    asked = [("GET", "http://ads.test/", 403), ("GET", "http://x.ads.test/y?z", 403), ("GET", here, 200), ("GET", here, 200),
             ("POST", here, 403)]
    for method, url, status in asked:
        same(ask(larder, url, method, body=b"" if method == "POST" else None).status, status, url)
    with Client(larder.proxy_port) as client:
        client.request("tracker.ads.test:443", "CONNECT", host="tracker.ads.test:443")
        same(client.read_response().status, 403)
    wait_for(lambda: forward_of(larder)["requests"] == 6, 10, "six ended requests")
    at = forward_of(larder)
    rules = at["rules"]
    same([rule["name"] for rule in rules][:5], ["ads", "late", "anna", "tests", "exe"])
    counted = {rule["name"]: (rule["allowed"], rule["denied"]) for rule in rules}
    same((counted["ads"], counted["tests"], counted["exe"]), ((0, 3), (2, 0), (0, 0)))
    same((at["denied"], sum(denied for _, denied in counted.values())), (4, 4))
    same(rules[0]["text"], 'deny ads host ads.test *.ads.test reason="Blocked by policy"')
    same(rules[0]["at"], line_of(larder, "deny ads"))
    same({(rule["text"], rule["at"]) for rule in rules[5:]}, {(None, None)})
    metrics = larder.metrics()
    same(metrics['larder_forward_denied_total{forward="office",acl="ads"}'], 3)
    same(metrics['larder_forward_denied_total{forward="office",acl="exe"}'], 0)
    same(metrics['larder_forward_allowed_total{forward="office",acl="tests"}'], 2)
    same(metrics['larder_requests_total{site="forward:office",result="denied"}'], 4)
    lines = records(larder, 6)
    same([(one["result"], one["rule"]) for one in lines if one["rule"] == "ads"], [("denied", "ads")] * 3)
    same({one["why"] for one in lines if one["rule"] == "ads"}, {"Blocked by policy"})
    items = get(larder, "/api/v1/access/denials?rule=ads")["items"]
    same([(one["scheme"], one["host"], one["port"], one["path"], one["reason"]) for one in items],
         [("connect", "tracker.ads.test", 443, "", "Blocked by policy"), ("http", "x.ads.test", 80, "/y?z", "Blocked by policy"),
          ("http", "ads.test", 80, "/", "Blocked by policy")])
    same(len(get(larder, "/api/v1/access/denials?host=ads.test")["items"]), 3)
    same({one["host"]: one["denied"] for one in get(larder, "/api/v1/access/destinations?by=denied")["items"]},
         {"ads.test": 1, "x.ads.test": 1, "tracker.ads.test": 1, "127.0.0.1": 1})
    out = larder.command("access", check=0).stdout
    assert "deny ads host ads.test *.ads.test" in out and line_of(larder, "deny ads") in out, out
    larder.write_config(larder.config().replace("deny ads host", "deny spam host"))
    larder.command("reload", check=0)
    ask(larder, "http://ads.test/")
    wait_for(lambda: forward_of(larder)["requests"] == 7, 10, "the seventh")
    counted = {rule["name"]: rule["denied"] for rule in forward_of(larder)["rules"]}
    same((counted["spam"], counted["ads"]), (1, 3))


def test_which_rule_decides(t):
    """access test names the rule with its line, for each kind of question, with stable exit statuses."""
    origin = t.origin({"/a": reply("x", cache="no-store")})
    larder = with_rules(t, origin)
    here = f"http://127.0.0.1:{origin.port}/a"
    status, answer = run_test(larder, "127.0.0.1", "http://ads.test/")
    same((status, answer["answer"], answer["rule"], answer["reason"]), (1, "deny", "ads", "Blocked by policy"))
    same((answer["text"], answer["at"]),
         ('deny ads host ads.test *.ads.test reason="Blocked by policy"', line_of(larder, "deny ads")))
    assert answer["addresses"] == [] and "denied before" in answer["lookup"], answer
    rows = (
        (("127.0.0.1", here), 0, "tests"), (("127.0.0.1", here, "--method", "POST"), 1, "end"),
        (("127.0.0.1", here, "--user", "anna", "--method", "POST"), 0, "anna"),
        (("127.0.0.1", here, "--user", "bert", "--method", "POST"), 1, "end"),
        (("127.0.0.9", here, "--at", "2026-11-28T12:00"), 1, "late"), (("127.0.0.9", here, "--at", "2026-11-27T12:00"), 0, "tests"),
        (("127.0.0.1", "HTTP://X.ADS.TEST./"), 1, "ads"), (("127.0.0.1", "a.ads.test:443"), 1, "ads"),
        (("127.0.0.1", "https://a.ads.test/"), 1, "ads"))
    for words, wanted, rule in rows:
        status, answer = run_test(larder, *words)
        same((status, answer["rule"]), (wanted, rule), words)
    status, answer = run_test(larder, "127.0.0.1", here)
    same([(one["address"], one["answer"], one["rule"]) for one in answer["addresses"]], [("127.0.0.1", "allow", "tests")])
    same(answer["way"], "direct")
    out = larder.command("access", "test", "127.0.0.1", "http://ads.test/", check=1).stdout
    assert out.startswith('denied by "ads": Blocked by policy\n') and line_of(larder, "deny ads") in out, out
    larder.command("access", "test", "127.0.0.1", "http://0x7f.1/", check=2)
    same(origin.count("/a"), 0)
    same(larder.api("/api/v1/access/denials")[1]["seen"], 0)


def test_what_comes_before_the_rules(t):
    """The login and https:// URLs, as they are really answered; a name counts only where it is asked for."""
    origin = t.origin({"/a": reply("x", cache="no-store")})
    larder = with_rules(t, origin)
    larder.write_config(larder.config().replace("auth_except 127.0.0.0/8", "auth_except 127.0.0.9"))
    larder.command("reload", check=0)
    here = f"http://127.0.0.1:{origin.port}/a"
    rows = (("127.0.0.1", here, None, 407, "login"), ("127.0.0.1", here, "anna", 200, "anna"), ("127.0.0.1", here, "bert", 200, "tests"),
            ("127.0.0.1", here, "carl", 407, "login"), ("127.0.0.9", here, None, 200, "tests"),
            ("127.0.0.9", here, "carl", 407, "login"), ("127.0.0.1", "http://ads.test/", None, 407, "login"),
            ("127.0.0.1", "https://ads.test/", "anna", 403, "fetch_https"))
    for client, url, user, wanted, rule in rows:
        words = ("--user", user) if user else ()
        status, answer = run_test(larder, client, url, "--method", "GET", *words)
        same((status, answer["rule"]), (0 if wanted == 200 else 1, rule), (client, url, user))
        got = ask(larder, url, source=client, headers=basic(user, user[0]) if user else ()).status
        same(got, wanted, (client, url, user))
    wanted = sorted(rule for *_, user, status, rule in rows if status == 403 or (status == 407 and user))
    wait_for(lambda: forward_of(larder)["requests"] == len(rows), 10, "the end of all")
    wait_for(lambda: get(larder, "/api/v1/access/denials")["items"][2:], 10, "the denials")
    same(sorted(one["rule"] for one in get(larder, "/api/v1/access/denials")["items"]), wanted)
    same(forward_of(larder)["challenges"], 2, "without a name: asked, not denied")
    plain = office(t, origin)
    assert "without auth" in plain.command("access", "test", "127.0.0.1", here, "--user", "anna", check=2).stderr


def test_addresses_of_a_name(t):
    """Each address of a name with its verdict; what is not public is denied, whatever the name is."""
    origin = t.origin()
    larder = office(t, origin)
    plain = free_port()
    larder.write_config(larder.config() + f"listen 127.0.0.1:{plain} {{ forward open; }}\n"
                        "forward open { acl { allow all; } }\n")
    larder.command("reload")
    status, answer = run_test(larder, "10.0.0.1", "http://localhost/", "--forward", "open")
    same((status, answer["answer"], answer["rule"]), (1, "deny", "private"))
    assert "127.0.0.1" in [one["address"] for one in answer["addresses"]], answer
    for one in answer["addresses"]:
        same((one["answer"], one["rule"]), ("deny", "private"))
    status, answer = run_test(larder, "10.0.0.1", "http://192.0.2.1:80/", "--forward", "open")
    same((status, answer["rule"]), (1, "private"))


def test_promtool(t):
    """The metrics of a forward proxy, as Prometheus itself reads them."""
    origin = t.origin({"/a": reply("x")})
    larder = with_rules(t, origin, "quota 50K per=day key=client name=daily;")
    for url in (f"http://127.0.0.1:{origin.port}/a", "http://ads.test/"):
        ask(larder, url)
    try:
        done = subprocess.run(["promtool", "check", "metrics"], input=larder.admin("/metrics").body, capture_output=True,
                              timeout=60, check=False)
    except FileNotFoundError:
        raise Skip("promtool is not installed") from None
    same(done.returncode, 0, done.stdout + done.stderr)
