"""larder explain: what it says is what then happens, and asking changes nothing."""
import json
import threading
import time

from case import content, head, reply, same, wait_for


def explain(larder, target, *words, host="site.test"):
    done = larder.command("explain", f"http://{host}{target}", "--json", *words, check=0)
    return json.loads(done.stdout)


def setting(answer, name):
    found = [one for one in answer["settings"] if one["name"] == name]
    return found[0] if found else None


def line_of(larder, text):
    """larder.conf:N of the first line with this text."""
    with open(larder.config_path, encoding="utf-8") as data:
        for number, line in enumerate(data, 1):
            if text in line:
                return f"{larder.config_path}:{number}"
    raise AssertionError(text)


def test_each_answer(t):
    origin = t.origin({
        "/hit": reply("x", cache="max-age=600"), "/no": reply("x", cache="no-store"),
        "/swr": reply("x", cache="max-age=1, stale-while-revalidate=600"),
        "/val": reply("x", cache="max-age=1", etag='"1"', headers=[("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")]),
    })
    larder = t.larder(origin, site="rule path /pass { pass; }")
    answer = explain(larder, "/hit")
    same((answer["answer"], answer["reason"], answer["stored"]), ("miss", "absent", None))
    same((answer["origin"]["server"], answer["origin"]["target"], answer["origin"]["host"]), ("main", "/hit", "site.test"))
    for target in ("/hit", "/no", "/swr", "/val"):
        larder.fetch(target)
    time.sleep(2.2)
    answer = explain(larder, "/hit")
    same((answer["answer"], answer["reason"], answer["origin"]), ("hit", "fresh", None))
    stored = answer["stored"]
    same((stored["status"], stored["lifetime_s"], stored["lifetime_from"], stored["storable_now"]), (200, 600, "max_age", "ok"))
    assert 2 <= stored["age_s"] <= 30 and stored["age_s"] + stored["ttl_s"] == 600, stored
    same((answer["variant_count"], answer["variants"][0]["is_this"]), (1, True))
    answer = explain(larder, "/no")
    same((answer["answer"], answer["reason"]), ("miss", "hit_for_miss"))
    answer = explain(larder, "/swr")
    same((answer["answer"], answer["stored"]["stale_while_revalidate_s"]), ("stale", 600))
    assert answer["origin"] is not None, "the refresh"
    answer = explain(larder, "/val")
    same((answer["answer"], answer["reason"]), ("validate", "expired"))
    assert 'If-None-Match: "1"' in answer["origin"]["headers"], answer["origin"]
    assert "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT" in answer["origin"]["headers"]
    answer = explain(larder, "/pass")
    same((answer["answer"], answer["reason"], answer["cache_asked"]), ("pass", "rule", False))
    answer = explain(larder, "/hit", "-X", "POST")
    same((answer["answer"], answer["reason"]), ("pass", "method"))
    text = larder.command("explain", "http://site.test/hit", "-X", "POST", check=0).stdout
    assert "not looked at" in text and "nothing usable" not in text, text
    answer = explain(larder, "/none", "-H", "Cache-Control: only-if-cached")
    same((answer["answer"], answer["origin"]), ("not_cached", None))
    answer = explain(larder, "/hit", "-H", "Cache-Control: no-cache")
    same((answer["answer"], answer["reason"]), ("validate", "request_no_cache"))
    same(explain(larder, "/other", "-X", "HEAD")["answer"], "fetch")


def test_it_changes_nothing(t):
    """No request to the origin, no fill, no lead taken: what follows is as if nobody had asked."""
    origin = t.origin(default=reply("x", cache="max-age=1, stale-while-revalidate=600", etag='"1"'))
    larder = t.larder(origin)
    for _ in range(3):
        same(explain(larder, "/a")["answer"], "miss")
    same(origin.count(), 0)
    larder.fetch("/a")
    time.sleep(2.2)
    for _ in range(3):
        same(explain(larder, "/a")["answer"], "stale")
    same(origin.count(), 1)
    assert "stale" in larder.fetch("/a").cache_status
    wait_for(lambda: origin.count() == 2, what="the refresh, by the request and not by us")


def test_what_it_says_is_what_is_sent(t):
    origin = t.origin(default=reply("x", cache="max-age=600"))
    larder = t.larder(origin, cache="ignore_query utm_*; sort_query on;", site="""
        header request set X-A site;
        rule path /s/* { ignore_cookies; header request add X-B rule; header request remove Accept; }""")
    fields = [("Cookie", "a=b"), ("Accept", "c"), ("X-Keep", "d")]
    words = [word for name, value in fields for word in ("-H", f"{name}: {value}")]
    for target in ("/s/x?b=1&utm_x&a=2", "/o/x?b=1&utm_x&a=2"):
        for method in ("GET", "POST"):
            said = explain(larder, target, "-X", method, *words)
            larder.fetch(target, method, headers=fields, **({"body": b"x"} if method == "POST" else {}))
            sent = origin.last()
            same(sent.target, said["origin"]["target"], (target, method))
            lines = [line.replace("(client)", "127.0.0.1") for line in said["origin"]["headers"]]
            mine = [f"{name}: {value}" for name, value in sent.headers if name not in ("Host", "Content-Length", "Connection")]
            same(sorted(lines), sorted(mine), (target, method))
    same(explain(larder, "/s/x?utm_y&a=2&b=1")["key"], "http://site.test/s/x?a=2&b=1")
    same(explain(larder, "/s/x?utm_y&a=2&b=1")["answer"], "miss", "the POST invalidated it")


def test_rules_and_settings(t):
    origin = t.origin(default=reply("x", cache="max-age=600", headers=[("Content-Type", "image/png")]))
    larder = t.larder(origin, cache="default_ttl 5s;", site="""
        rule path /x/* { ttl 100s; vary_max 7; }
        rule path /x/y { ttl 50s; }
        rule type image/* { stale_if_error 9s; }
        rule cookie sid { pass; }""")
    answer = explain(larder, "/x/y")
    same([(rule["conditions"], rule["holds"]) for rule in answer["rules"]],
         [("path /x/*", "yes"), ("path /x/y", "yes"), ("type image/*", "no"), ("cookie sid", "no")])
    same(answer["rules"][1]["at"], line_of(larder, "rule path /x/y"))
    one = setting(answer, "ttl")
    same((one["value"], one["from"], one["at"]), ("50s", "rule", line_of(larder, "rule path /x/y")))
    one = setting(answer, "vary_max")
    same((one["value"], one["from"], one["at"]), ("7", "rule", line_of(larder, "rule path /x/*")))
    one = setting(answer, "default_ttl")
    same((one["value"], one["from"], one["at"]), ("5s", "site", line_of(larder, "default_ttl 5s")))
    one = setting(answer, "max_ttl")
    same((one["value"], one["from"], one["at"]), ("365d", "default", None))
    same(setting(explain(larder, "/a"), "ttl"), None)
    larder.fetch("/x/y")
    answer = explain(larder, "/x/y")
    same([rule["holds"] for rule in answer["rules"]], ["yes", "yes", "stored", "no"])
    same(setting(answer, "stale_if_error")["value"], "9s")
    same((answer["stored"]["lifetime_from"], answer["stored"]["lifetime_s"]), ("ttl", 50))
    answer = explain(larder, "/x/y", "-H", "Cookie: sid=1")
    same((answer["answer"], setting(answer, "pass")["value"], setting(answer, "pass")["at"]),
         ("pass", "on", line_of(larder, "rule cookie sid")))


def test_variants(t):
    origin = t.origin(default=reply("x", cache="max-age=600", headers=[("Vary", "X-V")]))
    larder = t.larder(origin)
    for value in "abc":
        origin.default = reply(value, cache="max-age=600", headers=[("Vary", "X-V"), ("ETag", f'"{value}"')])
        larder.fetch("/v", headers=[("X-V", value)])
    answer = explain(larder, "/v", "-H", "X-V: b")
    same((answer["answer"], answer["variant_count"], sum(one["is_this"] for one in answer["variants"])), ("hit", 3, 1))
    answer = explain(larder, "/v", "-H", "X-V: d")
    same((answer["answer"], answer["reason"], answer["variant_count"]), ("miss", "vary", 3))
    larder.fetch("/v", headers=[("X-V", "d")])
    said = [line for line in answer["origin"]["headers"] if line.startswith("If-None-Match")]
    sent = origin.last("/v").get("If-None-Match")
    same(sorted(said[0].split(": ", 1)[1].split(", ")), sorted(sent.split(", ")), "the other variants are offered")


def test_from_disk(t):
    """After a restart nothing is in memory: it is read for the answer."""
    origin = t.origin({"/d": reply(content("/d", 5000), cache="max-age=600")})
    larder = t.larder(origin)
    larder.fetch("/d")
    larder.restart()
    answer = explain(larder, "/d")
    same((answer["stored"]["lifetime_s"], answer["variants"][0]["on_disk"]), (600, True))
    assert larder.fetch("/d").is_hit
    same(origin.count("/d"), 1)


def test_in_flight(t):
    gate = threading.Event()

    def slow(conn, request):
        gate.wait(60)
        conn.send(head(200, [("Cache-Control", "max-age=60"), ("Content-Length", "2")]) + b"ok")
    origin = t.origin({"/f": slow})
    larder = t.larder(origin)
    thread = threading.Thread(target=lambda: larder.fetch("/f"))
    thread.start()
    wait_for(lambda: origin.count("/f") == 1, what="the request")
    answer = explain(larder, "/f")
    gate.set()
    thread.join()
    same((answer["answer"], answer["variants"][0]["being_filled"], answer["origin"]), ("follow", True, None))


def test_purged_and_storable(t):
    origin = t.origin({"/p": reply("x", cache="max-age=600", etag='"1"')})
    larder = t.larder(origin)
    larder.fetch("/p")
    larder.purge("http://site.test/p", "soft")
    answer = explain(larder, "/p")
    same((answer["answer"], answer["reason"]), ("validate", "purged_soft"))
    assert answer["stored"]["soft_purged_at"] is not None
    larder.purge("http://site.test/p")
    same(explain(larder, "/p")["reason"], "purged_hard")
    larder.fetch("/p")
    larder.write_config(cache="max_object 1; set_cookie pass;", site="rule path /p { max_object store; }")
    larder.command("reload", check=0)
    same(explain(larder, "/p")["stored"]["storable_now"], "ok")
    origin.routes["/two"] = reply("xx", cache="max-age=600")
    larder.write_config(cache="", site="")
    larder.command("reload", check=0)
    larder.fetch("/two")
    larder.write_config(cache="max_object 1;")
    larder.command("reload", check=0)
    answer = explain(larder, "/two")
    same((answer["answer"], answer["stored"]["storable_now"]), ("hit", "too_large"), "stored before, and would not be now")


def test_what_is_wrong(t):
    larder = t.larder(t.origin(), sites="""
site site.test { origins { server main http://127.0.0.1:9; } cache { purge from 127.0.0.1; } via edge1; }""")
    for words, wanted in (
            (["explain"], "explain what"), (["explain", "site.test/x"], "http://"), (["explain", "http://site.test/a b"], "percent-encode"),
            (["explain", "http://other.test/"], "no site"), (["explain", "http://site.test/", "-H", "a"], "Name: value"),
            (["explain", "http://site.test/", "-H", "a b: c"], "NAME: VALUE"),
            (["explain", "http://site.test/", "-H", "a: b\r\nc: d"], "NAME: VALUE"),
            (["explain", "http://site.test/", "-X", "GET /y HTTP/1.1\r\nA: b\r\n\r\nGET"], ""),
            (["explain", "http://site.test/", "-X", "TRACE"], "not allowed"),
            (["explain", "http://site.test/", "-H", "Via: 1.0 x, 1.1 EDGE1 (y)"], "508"),
            (["explain", "http://site.test/", "-H", "Host: x"], "")):
        done = larder.command(*words)
        assert done.returncode != 0 and wanted in done.stderr, (words, done)
    for body in ({}, {"url": 5}, {"url": "http://site.test/", "x": 1}, {"url": "http://site.test/", "headers": [5]},
                 {"url": "http://site.test/", "headers": "a: b"}):
        status, answer = larder.api("/api/v1/explain", "POST", body)
        assert 400 <= status < 500, (body, status, answer)
    same(larder.admin("/api/v1/explain", "POST", body={"url": "http://site.test/"}).status, 401)


def test_a_condition_of_the_origin_and_the_cache_alone(t):
    """As a request would be: 504, the origin is not asked."""
    larder = t.larder(t.origin())
    fields = [("If-Match", '"1"'), ("Cache-Control", "only-if-cached")]
    same(larder.fetch("/x", headers=fields).status, 504)
    answer = explain(larder, "/x", *(word for field in fields for word in ("-H", ": ".join(field))))
    same((answer["answer"], answer["reason"]), ("not_cached", "precondition"))


def test_text(t):
    origin = t.origin(default=reply("x", cache="max-age=600"))
    larder = t.larder(origin, site="rule path /x { vary_max 3; } rule status 404 { ttl 5s; }")
    larder.fetch("/x")
    text = larder.command("explain", "http://site.test/x", check=0).stdout
    for wanted in ("answer                   hit  # fresh", "key                      http://site.test/x", "rule holds               path /x",
                   "rule (asks the response) status 404", "vary_max                 3  # rule ", "max_ttl                  365d  # default",
                   "lifetime 600 s from max_age", "origin                   not asked"):
        assert wanted in text, (wanted, text)


def test_reload(t):
    origin = t.origin(default=reply("x", cache="max-age=600"))
    larder = t.larder(origin)
    same(explain(larder, "/x")["rules"], [])
    larder.write_config(site="rule path /x { pass; }")
    larder.command("reload", check=0)
    same(explain(larder, "/x")["answer"], "pass")


def test_who_answers_and_who_is_asked(t):
    """A site's own redirect is no rule's; an upgrade is shown as the origin gets it; backups are named so."""
    origin = t.origin()
    server = f"server a http://127.0.0.1:{origin.port}; server spare http://127.0.0.1:{origin.port} backup;"
    larder = t.larder(sites=f"""
site a.test {{ redirect 301 "https://x.test{{path}}"; origins {{ {server} }} rule path /in/* {{ respond 200 "in"; redirect off; }} }}
site b.test {{ origins {{ {server} }} rule path /ws {{ upgrade on; }} }}""")

    def explain(url, *fields):
        return larder.api("/api/v1/explain", "POST", {"url": url, "headers": list(fields)})[1]
    by_site = explain("http://a.test/x")
    same((by_site["answer"], by_site["reason"], by_site["location"]), ("redirect", "", "https://x.test/x"))
    by_rule = explain("http://a.test/in/x")
    same((by_rule["answer"], by_rule["reason"]), ("respond", "rule"))
    lines = explain("http://b.test/ws", "Connection: upgrade", "Upgrade: h2c, websocket")["origin"]["headers"]
    same(lines[:2], ["Connection: Upgrade", "Upgrade: websocket"])
    plain = explain("http://b.test/x", "Connection: upgrade", "Upgrade: websocket")["origin"]
    assert not any("pgrade" in line for line in plain["headers"]), plain
    same([(server["name"], server["backup"]) for server in plain["servers"]], [("a", False), ("spare", True)])
    out = larder.command("explain", "http://b.test/x", check=0).stdout
    assert "a up, spare (backup) up\n" in out, out
