"""What is shown of the forward proxies: metrics, API, log and commands, counted exactly after scripted traffic."""
import json
import time

from case import Client, free_port, reply, same, wait_for
from forwarding import ACL


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
    larder = office(t, origin, "limit requests 3/m burst=3;", access="off")
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
    larder = office(t, origin, "limit requests 4/m burst=4 key=client;")
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
    same(len(out.splitlines()), 1)
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
    larder = office(t, origin, "limit requests 1/m burst=1;")
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
