"""Pages for errors: the operator's in place of ours, and where it says so of the origin's."""
import os

from case import free_port, reply, same


def pages(larder, **texts):
    found = {}
    for name, text in texts.items():
        found[name] = os.path.join(larder.folder, f"{name}.html")
        with open(found[name], "w", encoding="utf-8") as out:
            out.write(text)
    return found


def write(larder, port, site, names="*"):
    larder.write_config(sites=f"site {names} {{ origins {{ server o http://127.0.0.1:{port}; }}\n{site} }}")


def test_own_errors(t):
    larder = t.larder(start=False)
    p = pages(larder, sorry="<p>Sorry – soon.</p>", later="later")
    write(larder, free_port(), f"""error_page 5xx {p['later']}; error_page 502 504 {p['sorry']} type="text/html";
        error_page 405 400 {p['later']}; normalize_path reject; cache {{ purge off; }}""")
    larder.start()
    response = larder.fetch("/x")
    same((response.status, response.body.decode(), response.get("Content-Type"), response.get("Cache-Control")),
         (502, "<p>Sorry – soon.</p>", "text/html", "no-store"))
    same(response.get("Content-Length"), str(len(response.body)))
    assert "connection_refused" in response.get("Proxy-Status", ""), response
    assert "fwd=" in response.cache_status, response
    response = larder.fetch("/x", "HEAD")
    same((response.status, response.body, response.get("Content-Length")), (502, b"", "22"))
    response = larder.fetch("/x", "PURGE")
    same((response.status, response.body, response.get("Content-Type")), (405, b"later", "text/html; charset=utf-8"))
    assert "GET" in response.get("Allow"), response
    same((larder.fetch("/a//b").status, larder.fetch("/a//b").body), (400, b"later"))
    with larder.client() as client:
        for _ in range(3):
            client.request("/x")
            same(client.read_response().status, 502)


def test_only_of_its_site(t):
    larder = t.larder(start=False)
    p = pages(larder, sorry="sorry")
    port = free_port()
    larder.write_config(sites=f"""site a.test {{ origins {{ server o http://127.0.0.1:{port}; }} error_page 502 {p['sorry']}; }}
        site b.test {{ origins {{ server o http://127.0.0.1:{port}; }} }}""")
    larder.start()
    same(larder.fetch("/", host="a.test").body, b"sorry")
    response = larder.fetch("/", host="b.test")
    same(response.body, b"502 Bad Gateway\n\nthe origin refuses connections\n")
    same(larder.fetch("/", host="c.test").status, 421)


def test_the_origins_own_stay(t):
    origin = t.origin({"/503": reply(b"origin", 503, headers=[("Retry-After", "7")]), "/404": reply(b"origin", 404)})
    larder = t.larder(start=False)
    p = pages(larder, sorry="sorry")
    write(larder, origin.port, f"error_page 4xx 5xx {p['sorry']};")
    larder.start()
    same((larder.fetch("/503").body, larder.fetch("/404").body), (b"origin", b"origin"))


def test_intercept(t):
    origin = t.origin({
        "/503": reply(b"origin", 503, headers=[("Retry-After", "7"), ("X-Secret", "stack trace"), ("ETag", '"1"')]),
        "/404": reply(b"origin 404", 404, cache="max-age=600"), "/401": reply(b"o", 401, headers=[("WWW-Authenticate", "Basic")]),
        "/500": reply(b"x" * 3000000, 500, chunked=True), "/200": reply(b"fine", cache="max-age=600"),
        "/405": reply(b"o", 405, headers=[("Allow", "GET")])})
    larder = t.larder(start=False)
    p = pages(larder, sorry="sorry", missing="missing")
    write(larder, origin.port, f"error_page 4xx 5xx {p['sorry']} intercept; error_page 404 {p['missing']} intercept;")
    larder.start()
    response = larder.fetch("/503")
    same((response.status, response.body, response.get("Retry-After"), response.get("X-Secret"), response.get("ETag"),
          response.get("Cache-Control")), (503, b"sorry", "7", None, None, "no-store"))
    same((larder.fetch("/401").get("WWW-Authenticate"), larder.fetch("/405").get("Allow")), ("Basic", "GET"))
    same(larder.fetch("/405").all("Allow"), ["GET"])
    for _ in range(2):  # what may be stored is, and the page goes in its place
        response = larder.fetch("/404")
        same((response.status, response.body), (404, b"missing"))
    same(origin.count("/404"), 1)
    for _ in range(3):
        response = larder.fetch("/500")
        same((response.status, response.body), (500, b"sorry"))
    response = larder.fetch("/503", "HEAD")
    same((response.status, response.body, response.get("Content-Length")), (503, b"", "5"))
    with larder.client() as client:
        for target in ("/500", "/200", "/503", "/404", "/200"):
            client.request(target)
            response = client.read_response()
            same(response.body, {"/200": b"fine", "/404": b"missing"}.get(target, b"sorry"), target)
    write(larder, origin.port, "")
    larder.command("reload", check=0)
    response = larder.fetch("/404")
    same((response.body, response.is_hit), (b"origin 404", True))


def test_reload_reads_again(t):
    larder = t.larder(start=False)
    p = pages(larder, sorry="one")
    write(larder, free_port(), f"error_page 502 {p['sorry']};")
    larder.start()
    same(larder.fetch("/").body, b"one")
    pages(larder, sorry="two")
    same(larder.fetch("/").body, b"one", "nothing is read per request")
    larder.command("reload", check=0)
    same(larder.fetch("/").body, b"two")
    os.unlink(p["sorry"])
    done = larder.command("reload", check=1)
    assert "sorry.html" in done.stdout + done.stderr, done
    same(larder.fetch("/").body, b"two")
