"""allow and deny: who is let in, in the order of the file; rules before their site; long lists; what is said of them."""
import json
import os
import time

from case import reply, same, settle, wait_for

PAGE = reply(b"page", cache="max-age=600")


def statuses(larder, target="/", sources=("127.0.0.1", "127.0.0.2", "127.1.0.1", "127.1.2.3")):
    return [larder.fetch(target, source=source).status for source in sources]


def test_order(t):
    """The first that holds the address decides; nobody: it may. Refused before anything else happens."""
    origin = t.origin()
    origin.default = PAGE
    larder = t.larder(origin, workers=2, site="deny 127.0.0.2; allow 127.0.0.0/16; deny 127.1.2.0/24;")
    same(statuses(larder), [200, 403, 200, 403])
    answer = larder.fetch("/new", source="127.0.0.2")
    same((answer.status, answer.get("Cache-Control"), answer.get("Retry-After")), (403, "no-store", None))
    assert answer.body.startswith(b"403 Forbidden\n\nthis address may not ask"), answer.body
    same(origin.count("/new"), 0)
    for method in ("POST", "PURGE", "OPTIONS"):
        same(larder.fetch("/new", method, source="127.0.0.2").status, 403)
    with larder.client(source="127.0.0.2") as client:  # and the connection stays good
        for _ in range(3):
            client.request("/new", "HEAD")
            same(client.read_response("HEAD").status, 403)
    records = wait_for(lambda: [r for r in larder.access_records() if r["status"] == 403][8:] and
                       larder.access_records(), 5, "the records")
    same({(r["result"], r["reason"]) for r in records if r["status"] == 403}, {("denied", "address")})
    same(larder.metrics()['larder_requests_total{site="*",result="denied"}'], 9)


def test_ends(t):
    """A list that only allows refuses all others, one that denies somebody does not."""
    origin = t.origin({"/": PAGE})
    for lines, wanted in (("allow 127.0.0.2 127.1.0.0/24;", [403, 200, 200, 403]),
                          ("allow 127.0.0.2; allow 127.1.2.3;", [403, 200, 403, 200]),
                          ("allow 127.0.0.2; deny 127.1.0.0/16;", [200, 200, 403, 403]),
                          ("deny ::ffff:127.1.0.0/112;", [200, 200, 403, 403]),
                          ("allow 127.0.0.2; deny all;", [403, 200, 403, 403]),
                          ("deny 127.0.0.2; allow all;", [200, 403, 200, 200]),
                          ("deny all;", [403] * 4)):
        larder = t.larder(origin, site=lines, disk=False)
        same(statuses(larder), wanted, lines)
        larder.stop()


def test_rules_come_first(t):
    """A rule's list is asked before the site's, the last rule's first; where none says anything the site's decides."""
    origin = t.origin()
    origin.default = PAGE
    larder = t.larder(origin, site="""
        deny 127.0.0.2;
        rule path /admin/* { allow 127.1.0.0/16; deny all; }
        rule path /admin/public/* { allow all; }
        rule path /half/* { deny 127.1.2.3; }
        rule path /own/* { allow 127.0.0.2; }
        rule method POST { deny 127.0.0.1; }""")
    same(statuses(larder, "/"), [200, 403, 200, 200])
    same(statuses(larder, "/admin/x"), [403, 403, 200, 200])
    same(statuses(larder, "/%61dmin/x"), [403, 403, 200, 200])
    same(statuses(larder, "/admin/public/x"), [200] * 4)
    same(statuses(larder, "/half/x"), [200, 403, 200, 403])
    same(statuses(larder, "/own/x"), [403, 200, 403, 403])
    same(larder.fetch("/x", "POST", body=b"1").status, 403)
    same(larder.fetch("/x", "POST", body=b"1", source="127.1.0.1").status, 200)


def test_reload(t):
    """A hit is refused too, from the moment of the reload on; a bad file of networks changes nothing."""
    origin = t.origin({"/": PAGE})
    larder = t.larder(origin, workers=3)
    path = os.path.join(larder.folder, "blocked.txt")
    same(statuses(larder), [200] * 4)
    with open(path, "w", encoding="ascii") as out:
        out.write("# blocked\n127.0.0.2 ; one\n\n127.1.0.0/16\n2001:db8::/32\n")
    larder.write_config(site=f"deny file={path};")
    larder.command("reload", check=0)
    same(statuses(larder), [200, 403, 403, 403])
    with open(path, "a", encoding="ascii") as out:
        out.write("127.0.0.300\n")
    done = larder.command("reload")
    assert done.returncode != 0 and "line 6 of" in done.stdout + done.stderr, (done.stdout, done.stderr)
    same(statuses(larder), [200, 403, 403, 403])
    with open(path, "w", encoding="ascii") as out:
        out.write("127.0.0.1\n")
    larder.command("reload", check=0)
    same(statuses(larder), [403, 200, 200, 200])


def test_long_lists(t):
    """100,000 networks: read in a moment (not each beside all others: that takes minutes), found, small."""
    origin = t.origin({"/": PAGE})
    larder = t.larder(origin, start=False, workers=2)
    path = os.path.join(larder.folder, "many.txt")
    with open(path, "w", encoding="ascii") as out:
        for i in range(50000):
            out.write(f"{1 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24\n2001:{i:x}::/48\n")
        out.write("127.0.0.2\n")
    larder.start()
    before = larder.rss_bytes()
    larder.write_config(site=f"allow 127.1.2.3; deny file={path};")
    began = time.monotonic()
    larder.command("reload", check=0)
    took = time.monotonic() - began
    assert took < 50, took
    same(statuses(larder), [200, 403, 200, 200])
    limit = 64 << 20 if larder.is_sanitized() else 24 << 20
    assert larder.rss_bytes() < before + limit, (before, larder.rss_bytes())


def test_check_warns(t):
    """What never decides is a warning, not an error."""
    larder = t.larder(start=False, site="allow 127.0.0.0/8; deny all; allow 10.0.0.0/8;")
    done = larder.cli("check", larder.config_path, check=0)
    assert "is in order" in done.stdout, done.stdout
    assert 'warning: "10.0.0.0/8" is never reached: what stands before it decides' in done.stderr, done.stderr
    done = larder.cli("check", "--format", "json", larder.config_path, check=0)
    assert '"severity":"warning"' in done.stdout and '"count":0' in done.stdout, done.stdout
    larder.start()
    settle(0.1)
    done = larder.command("reload", check=0)
    assert "never reached" in done.stdout + done.stderr, (done.stdout, done.stderr)
    shown = larder.cli("config", "show", "-c", larder.config_path, check=0).stdout
    at = [shown.index(text) for text in ("allow 127.0.0.0/8;", "deny all;", "allow 10.0.0.0/8;")]
    same(at, sorted(at))


def explain(larder, target, *words):
    return json.loads(larder.command("explain", f"http://site.test{target}", "--json", *words, check=0).stdout)


def line_of(larder, text):
    with open(larder.config_path, encoding="utf-8") as data:
        lines = [number for number, line in enumerate(data, 1) if text in line]
    same(len(lines), 1, text)
    return f"{larder.config_path}:{lines[0]}"


def test_explain(t):
    """What would be said to this client, and which line says so; the limits that count."""
    origin = t.origin()
    origin.default = PAGE
    larder = t.larder(origin, site="""
        limit requests 10/s burst=20;
        limit except 10.9.0.0/16;
        deny 127.0.0.2;
        rule path /admin/* {
            limit concurrent 2 name=few;
            allow 127.1.0.0/16;
        }
        rule path /free { limit off; }""")
    answer = explain(larder, "/")
    same((answer["answer"], answer["access"]), ("miss", {"verdict": "depends", "at": None}))
    same([(one["name"], one["at"]) for one in answer["limits"]], [("requests", line_of(larder, "limit requests"))])
    answer = explain(larder, "/", "--client", "127.0.0.2")
    same((answer["answer"], answer["reason"], answer["origin"], answer["cache_asked"]), ("denied", "address", None, False))
    same(answer["access"], {"verdict": "denied", "at": line_of(larder, "deny 127.0.0.2;")})
    answer = explain(larder, "/", "--client", "::1")
    same((answer["answer"], answer["access"]), ("miss", {"verdict": "allowed", "at": None}))
    assert "X-Forwarded-For: ::1" in answer["origin"]["headers"], answer["origin"]
    answer = explain(larder, "/admin/x", "--client", "127.1.2.3")
    same(answer["access"], {"verdict": "allowed", "at": line_of(larder, "allow 127.1.0.0/16;")})
    same([one["limit"] for one in answer["limits"]], ["requests 10/s burst=20 key=client status=429 count=all",
                                                      "concurrent 2 key=client status=503 count=all name=few"])
    answer = explain(larder, "/admin/x", "--client", "127.0.0.1")
    same(answer["access"], {"verdict": "denied", "at": None}, "the end of a list that only allows")
    same(explain(larder, "/free", "--client", "127.0.0.1")["limits"], [])
    same(explain(larder, "/", "--client", "10.9.8.7")["limits"], [])
    text = larder.command("explain", "http://site.test/", "--client", "127.0.0.2", check=0).stdout
    assert "denied" in text and "access" in text and "# " + line_of(larder, "deny 127.0.0.2;") in text, text
    done = larder.command("explain", "http://site.test/", "--client", "nobody")
    assert done.returncode == 1 and "client is not an IP address" in done.stderr, done.stderr
    same(origin.count(), 0)
    same(larder.fetch("/", source="127.0.0.2").status, 403)
    same(larder.fetch("/admin/x").status, 403)
