"""Maintenance, switched at run time: for whom, how long, and what goes on meanwhile."""
import json
import os
import time

from case import content, head, reply, same, wait_for


def setup(t, maintenance="", site="", **words):
    origin = t.origin()
    origin.default = reply(lambda request: f"{request.target} {origin.count()}", cache="max-age=600")
    larder = t.larder(origin, site=f"maintenance {{ {maintenance} }}\n{site}", **words)
    return origin, larder


def switch(larder, on, name="*", **more):
    status, answer = larder.api(f"/api/v1/sites/{name}/maintenance", "POST", {"on": on, **more})
    same((status, answer["maintenance"]["on"]), (200, on))
    return answer


def test_on_and_off(t):
    origin, larder = setup(t)
    same(larder.fetch("/a").status, 200)
    switch(larder, True, reason="new disks")
    count = origin.count()
    for target, method in (("/a", "GET"), ("/b", "GET"), ("/a", "HEAD"), ("/b", "POST")):
        response = larder.fetch(target, method)
        same((response.status, response.get("Retry-After"), response.get("Cache-Control"), response.cache_status),
             (503, "300", "no-store", ""), (target, method))
    same(larder.fetch("/a").body, b"503 Service Unavailable\n\nthis site is down for maintenance\n")
    same(origin.count(), count)
    switch(larder, False)
    assert larder.fetch("/a").is_hit
    same(larder.fetch("/b").status, 200)
    records = wait_for(lambda: [r for r in larder.access_records() if r["status"] == 503][4:], 5, "the records")
    same({(r["result"], r["reason"]) for r in records}, {("denied", "maintenance")})
    same(larder.metrics()['larder_errors_total{source="self"}'], 0, "what was made on purpose is no error")


def test_page_and_allowed(t):
    origin, larder = setup(t)
    path = os.path.join(larder.folder, "soon.html")
    with open(path, "w", encoding="ascii") as out:
        out.write("<p>soon")
    larder.write_config(site=f"maintenance {{ allow 127.0.0.2; page {path}; retry_after 1h; }}")
    larder.command("reload", check=0)
    switch(larder, True)
    response = larder.fetch("/a")
    same((response.status, response.body, response.get("Content-Type"), response.get("Retry-After")),
         (503, b"<p>soon", "text/html; charset=utf-8", "3600"))
    response = larder.fetch("/a", source="127.0.0.2")
    same((response.status, response.body), (200, b"/a 1"))
    same(larder.fetch("/a").status, 503, "what the allowed fetched is not for the others")
    larder.write_config(site=f"error_page 503 {path}; maintenance {{ retry_after 0; }}")
    larder.command("reload", check=0)
    response = larder.fetch("/a")
    same((response.status, response.body, response.get("Retry-After")), (503, b"<p>soon", None))


def test_cached(t):
    origin, larder = setup(t, "cached on;")
    origin.routes["/old"] = reply(b"old", cache="max-age=1", etag='"1"')
    origin.routes["/must"] = reply(b"must", cache="max-age=1, must-revalidate", etag='"1"')
    origin.routes["/swr"] = reply(b"swr", cache="max-age=1, stale-while-revalidate=600")
    for target in ("/a", "/old", "/must", "/swr"):
        larder.fetch(target)
    switch(larder, True)
    time.sleep(2.2)
    count = origin.count()
    for _ in range(2):
        same((larder.fetch("/a").status, larder.fetch("/a").is_hit), (200, True))
        same((larder.fetch("/old").status, larder.fetch("/old").body), (200, b"old"))
        same(larder.fetch("/swr").body, b"swr")
        for target in ("/must", "/b"):
            response = larder.fetch(target)
            same((response.status, response.get("Retry-After")), (503, "300"), target)
        same(larder.fetch("/a", "POST", body=b"x").status, 503)
    same(larder.fetch("/a", headers=[("Cache-Control", "no-cache")]).status, 200)
    same(origin.count(), count, "the origin is asked for nothing")


def test_cached_in_parts(t):
    """What is stored of a large file goes on being served; for the rest there is the page, not an error."""
    big = content("/big", 3 << 20)

    def ranges(conn, request):
        first, last = (int(word) for word in request.get("Range").split("=")[1].split("-"))
        data = big[first:last + 1]
        conn.send(head(206, [("Content-Range", f"bytes {first}-{first + len(data) - 1}/{len(big)}"), ("ETag", '"v"'),
                             ("Content-Length", str(len(data))), ("Cache-Control", "max-age=600")]) + data)

    origin, larder = setup(t, "cached on;")
    origin.routes["/big"] = ranges
    same(larder.fetch("/big", headers=[("Range", "bytes=0-9")]).status, 206)
    wait_for(lambda: larder.fetch("/big", headers=[("Range", "bytes=0-9")]).is_hit, 5, "the part is stored")
    switch(larder, True)
    count = origin.count()
    same(larder.fetch("/big", headers=[("Range", "bytes=90-99")]).body, big[90:100])
    for fields in ([("Range", "bytes=2000000-2000009")], [("Range", "bytes=-5")], []):
        response = larder.fetch("/big", headers=fields)
        same((response.status, response.get("Retry-After")), (503, "300"), fields)
    same(origin.count(), count)


def test_what_goes_on(t):
    """redirect, respond and PURGE; other sites."""
    origin = t.origin()
    origin.default = reply(b"x", cache="max-age=600")
    server = f"origins {{ server o http://127.0.0.1:{origin.port}; }}"
    larder = t.larder(sites=f"""site a.test www.a.test {{ {server} cache {{ purge from 127.0.0.1; }}
        rule path /r {{ redirect 302 /x; }} rule path /t {{ respond 200 ok; }} }} site *.b.test {{ {server} }}""")
    switch(larder, True, "www.a.test")
    same([larder.fetch("/x", host=host).status for host in ("a.test", "www.a.test", "c.b.test")], [503, 503, 200])
    same([larder.fetch(target, host="a.test").status for target in ("/r", "/t")], [302, 200])
    same(larder.fetch("/x", "PURGE", host="a.test").status, 200)
    switch(larder, True, "*.b.test")
    same(larder.fetch("/x", host="c.b.test").status, 503)
    status, answer = larder.api("/api/v1/sites")
    same([(s["name"], s["names"], s["maintenance"]["on"]) for s in answer["sites"]],
         [("a.test", ["a.test", "www.a.test"], True), ("*.b.test", ["*.b.test"], True)])


def test_kept_over_reload(t):
    origin, larder = setup(t)
    switch(larder, True, reason="new disks")
    larder.write_config(cache="default_ttl 1m;")
    larder.command("reload", check=0)
    same(larder.fetch("/a").status, 503)
    status, answer = larder.api("/api/v1/sites")
    note = answer["sites"][0]["maintenance"]
    assert "maintenance" in larder.command("explain", "http://site.test/a", check=0).stdout, "explain says it"
    same((note["on"], note["reason"], note["retry_after_s"]), (True, "new disks", 300))
    assert note["since"] and note["by"], note
    problems = larder.api("/api/v1/status")[1]["problems"]
    found = [p for p in problems if p["event"] == "maintenance"]
    assert len(found) == 1 and "new disks" in found[0]["text"], problems
    same(larder.metrics()['larder_site_maintenance{site="*"}'], 1)
    switch(larder, False)
    same([p for p in larder.api("/api/v1/status")[1]["problems"] if p["event"] == "maintenance"], [])
    same(larder.metrics()['larder_site_maintenance{site="*"}'], 0)


def test_command(t):
    origin, larder = setup(t)
    done = larder.command("maintenance", "on", "*", "--reason", "new disks", check=0)
    assert done.stdout.startswith("on ") and "new disks" in done.stdout, done.stdout
    same(larder.fetch("/a").status, 503)
    assert larder.command("maintenance", "list", check=0).stdout.startswith("on "), "list"
    same(json.loads(larder.command("maintenance", "list", "--json", check=0).stdout)["sites"][0]["name"], "*")
    assert larder.command("maintenance", "off", "*", check=0).stdout.startswith("off "), "off"
    same(larder.fetch("/a").status, 200)
    for words, status in ((("on",), 2), (("on", "none.test"), 1), (("maybe", "*"), 2), (("list", "none.test"), 1),
                          (("on", "a/b"), 2)):
        same(larder.command("maintenance", *words).returncode, status, words)
    same(larder.fetch("/a").status, 200)


def test_bad_orders(t):
    origin, larder = setup(t)
    for path, body, status in (("*", {}, 422), ("*", {"on": 1}, 422), ("*", {"on": True, "x": 1}, 422),
                               ("*", {"on": True, "reason": "x" * 300}, 422), ("none.test", {"on": True}, 404)):
        got = larder.api(f"/api/v1/sites/{path}/maintenance", "POST", body)[0]
        assert got in (status, 400), (path, body, got)
    same(larder.api("/api/v1/sites/*", "POST", {"on": True})[0], 404)
    same(larder.admin("/api/v1/sites/*/maintenance", "POST", body={"on": True}).status, 401)
    same(larder.fetch("/a").status, 200)
