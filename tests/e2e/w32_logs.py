"""What logs and views keep of clients: anonymize and log_query, in sites and forward proxies, for good and broken requests."""
import json
import os

from case import Client, fetch, free_port, reply, same, wait_for
from forwarding import ask, proxy

SOURCE = "127.0.7.9"  # a client of its own network
SECRET = "token=4711"
FIELDS = [("Referer", f"http://r.test/page?{SECRET}"), ("User-Agent", "Desk/1.0")]


def lines(larder, count):
    """The access log, once it has so many."""
    def there():
        found = larder.access_lines()
        return found if len(found) >= count else None
    return wait_for(there, 10, f"{count} log lines")


def written(larder):
    """Every byte that is in files and views for people."""
    text = "".join(larder.access_lines()) + larder.output()
    for path in ("/api/v1/top", "/api/v1/status", "/api/v1/access", "/api/v1/access/denials", "/api/v1/access/clients",
                 "/api/v1/access/users", "/api/v1/access/destinations", "/api/v1/problems"):
        status, answer = larder.api(path)
        text += json.dumps(answer) if status == 200 else ""
    return text + larder.admin("/metrics").body.decode()


def test_addresses_of_a_site(t):
    origin = t.origin(default=reply("x", cache="no-store"))
    for word, wanted in (("off", SOURCE), ("truncate", "127.0.7.0"), ("drop", "")):
        for access in ("json", "combined"):
            larder = t.larder(origin, site=f"anonymize {word};", access=access)
            same(fetch(larder.port, "/a", source=SOURCE).status, 200)
            line = lines(larder, 1)[0]
            same(json.loads(line)["client"] if access == "json" else line.split(" ")[0].replace("-", ""), wanted)
            same(SOURCE in written(larder), word == "off", word)
            same(origin.last("/a").get("X-Forwarded-For"), SOURCE, "the origin is told by another setting")


def test_trusted_proxies_too(t):
    """The client that a proxy of ours speaks for, of either family."""
    larder = t.larder(t.origin(default=reply("x", cache="no-store")), extra="trust 127.0.0.1;", site="anonymize truncate;")
    for said in ("203.0.113.77", "2001:db8:1:2:3:4:5:6", "::ffff:203.0.113.77", "unknown"):
        same(larder.fetch("/a", headers=[("X-Forwarded-For", said)]).status, 200)
    same([json.loads(line)["client"] for line in lines(larder, 4)], ["203.0.113.0", "2001:db8:1::", "203.0.113.0", "unknown"])


def test_requests_of_no_site(t):
    """Broken ones and those for unknown hosts belong to nobody: the strictest of the sites counts, or the forward proxy's word."""
    origin = t.origin(default=reply("x"))
    port = free_port()
    larder = t.larder(origin, sites=f"""
site a.test {{ origins {{ server s http://127.0.0.1:{origin.port}; }} }}
site b.test {{ origins {{ server s http://127.0.0.1:{origin.port}; }} anonymize truncate; log_query off; }}
listen 127.0.0.1:{port} {{ forward office; }}
forward office {{ anonymize drop; }}""")
    same(fetch(larder.port, f"/x?{SECRET}", host="other.test", source=SOURCE).status, 421)
    for to in (larder.port, port):
        with Client(to, source=SOURCE) as client:
            client.send(b"NONSENSE\r\n\r\n")
            same(client.read_response().status, 400)
    same(fetch(larder.port, f"/x?{SECRET}", host="a.test", source=SOURCE).status, 200)
    same(fetch(port, "/x", host="a.test", source=SOURCE).status, 400)
    same([(record["site"], record["client"], record["query"]) for record in map(json.loads, lines(larder, 5))],
         [("-", "127.0.7.0", ""), ("-", "127.0.7.0", ""), ("-", "", ""), ("a.test", SOURCE, SECRET), ("forward:office", "", "")])


def test_queries(t):
    origin = t.origin({"/dead": lambda conn, request: conn.reset()}, default=reply("x", cache="no-store"))
    for access in ("json", "combined"):
        larder = t.larder(origin, site="log_query off;", access=access, origins="retry 0;")
        for path in ("/a", "/dead"):
            larder.fetch(f"{path}?{SECRET}", headers=FIELDS)
        text = "\n".join(lines(larder, 2))
        assert "/dead" in text and "http://r.test/page" in text, text
        same(origin.last("/a").target, f"/a?{SECRET}")
        wait_for(lambda larder=larder: "origin_fault" in larder.output(), 10, "the error log")
        assert SECRET not in written(larder), written(larder)
    larder = t.larder(origin)
    larder.fetch(f"/a?{SECRET}", headers=FIELDS)
    record = json.loads(lines(larder, 1)[0])
    same((record["query"], record["referer"]), (SECRET, f"http://r.test/page?{SECRET}"), "by default all is kept")


def test_forward_proxy(t):
    """Hits, misses, denials, broken requests, tunnels: no log, list or view has more."""
    origin = t.origin({"/kept": reply("x", cache="max-age=60"), "/dead": lambda conn, request: conn.reset()},
                      default=reply("x", cache="no-store"))
    for word, wanted in (("truncate", "127.0.7.0"), ("drop", "")):
        larder = proxy(t, f"anonymize {word}; log_query off; limit requests 1/m burst=4 key=client;")
        for path in ("/kept", "/kept", "/a", "/dead", "/denied"):
            ask(larder, origin, f"{path}?{SECRET}", source=SOURCE, headers=FIELDS)
        with Client(larder.proxy, source=SOURCE) as client:
            client.request(f"127.0.0.1:{origin.port}", "CONNECT", host=f"127.0.0.1:{origin.port}")
            client.read_head()
        with Client(larder.proxy, source=SOURCE) as client:
            client.send(b"NONSENSE\r\n\r\n")
            same(client.read_response().status, 400)
        found = [json.loads(line) for line in lines(larder, 7)]
        same({record["client"] for record in found}, {wanted}, found)
        same({record["query"] for record in found}, {""})
        assert any(record["status"] == 429 for record in found), found
        text = written(larder)
        for secret in (SOURCE, SECRET):
            at = text.find(secret)
            assert at < 0, text[max(0, at - 300):at + 100]


def test_reload(t):
    """Live, and the file from before is left alone."""
    larder = t.larder(t.origin(default=reply("x", cache="no-store")))
    for word, wanted in (("off", SOURCE), ("drop", ""), ("truncate", "127.0.7.0")):
        larder.write_config(site=f"anonymize {word};")
        larder.command("reload", check=0)
        same(fetch(larder.port, "/a", source=SOURCE).status, 200)
        same(json.loads(lines(larder, {"off": 1, "drop": 2, "truncate": 3}[word])[-1])["client"], wanted)
    assert os.path.getsize(larder.access_path) > 0 and SOURCE in larder.access_lines()[0]


def test_accounts_of_quotas(t):
    """They count by the whole address; a list of them shows no more than the log."""
    origin = t.origin(default=reply("x", cache="no-store"))
    for word, wanted in (("off", SOURCE), ("truncate", "127.0.7.0"), ("drop", "")):
        larder = proxy(t, f"anonymize {word}; quota 1M per=month key=client;")
        ask(larder, origin, "/a", source=SOURCE)
        items = wait_for(lambda larder=larder: larder.api("/api/v1/access/quotas")[1]["items"], 5, "the account")
        same([item["who"] for item in items], [wanted])
        body = {"forward": "office", "name": items[0]["name"], "key": "client", "who": SOURCE}
        same(larder.api("/api/v1/access/quotas/reset", "POST", body)[0], 200, "who knows it may name it")
        wait_for(lambda larder=larder: "quota_reset" in larder.output(), 5, "the log")
        same(SOURCE in larder.output(), word == "off")
