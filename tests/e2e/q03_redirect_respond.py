"""redirect and respond: what is answered without cache and origin, byte for byte."""
import json
import os

from case import reply, same


def setup(t, site="", names="www.example.com example.com *.example.net", **words):
    origin = t.origin()
    origin.default = reply(b"origin", cache="max-age=600")
    larder = t.larder(start=False, sites=f"""site {names} {{
        origins {{ server o http://127.0.0.1:{origin.port}; }}
        {site}
        }}""", **words)
    return origin, larder


def go(larder, target="/", host="www.example.com", method="GET", **words):
    response = larder.fetch(target, method, host=host, **words)
    return response.status, response.get("Location")


def test_to_https(t):
    origin, larder = setup(t, "redirect https;\nrule prefix /.well-known/acme-challenge { redirect off; }")
    larder.start()
    for target, host, wanted in (
            ("/a/b?c=d&e", "www.example.com", "https://www.example.com/a/b?c=d&e"),
            ("/", "EXAMPLE.com:8080", "https://example.com/"), ("/a%20%2f%3C", "example.com", "https://example.com/a%20%2F%3C"),
            ("/a\"<>\\^`{|}?\"<>\\^`{|}", "example.com",
             "https://example.com/a%22%3C%3E%5C%5E%60%7B%7C%7D?%22%3C%3E%5C%5E%60%7B%7C%7D")):
        same(go(larder, target, host), (301, wanted))
    response = larder.fetch("/x", host="example.com")
    same((response.get("Cache-Control"), response.get("Content-Type"), response.cache_status),
         ("max-age=3600", "text/plain; charset=utf-8", ""))
    same(response.body, b"301 Moved Permanently\n\nhttps://example.com/x\n")
    same(go(larder, "/x", method="POST", body=b"x"), (308, "https://www.example.com/x"))
    response = larder.fetch("/x", "HEAD", host="example.com")
    same((response.status, response.get("Content-Length"), response.body), (301, "45", b""))
    same(origin.count(), 0)
    same(larder.fetch("/.well-known/acme-challenge/t", host="example.com").body, b"origin")
    larder.write_config(sites=larder.settings["sites"].replace("www.example.com", "*", 1))
    larder.command("reload", check=0)
    with larder.client() as client:
        client.send(b"GET /x HTTP/1.0\r\n\r\n")
        response = client.read_response()
        same((response.status, response.get("Location")), (400, None), "no name, so nowhere to be sent to")


def test_behind_a_trusted_proxy(t):
    """Who came with https to a proxy of ours is not sent round and round; from others that is only a claim."""
    origin, larder = setup(t, "redirect https;\ntrust 127.0.0.1;")
    larder.start()
    proto = [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.1")]
    same(larder.fetch("/x", host="example.com", headers=proto).body, b"origin")
    same(go(larder, "/x", "example.com", headers=[("X-Forwarded-Proto", "http"), ("X-Forwarded-For", "192.0.2.1")]),
         (301, "https://example.com/x"))
    same(go(larder, "/x", "example.com", headers=proto, source="127.0.0.2"), (301, "https://example.com/x"))


def test_port_and_host(t):
    origin, larder = setup(t, "redirect https host www.example.com port=8443;")
    larder.start()
    same(go(larder, "/x", "a.example.net:81"), (301, "https://www.example.com:8443/x"))
    origin, larder = setup(t, "redirect host www.example.com;")
    larder.start()
    same(go(larder, "/x?y", "example.com"), (301, "http://www.example.com/x?y"))
    same(go(larder, "/x?y", "a.b.example.net:8080"), (301, "http://www.example.com:8080/x?y"))
    for host in ("www.example.com", "WWW.example.com:99"):
        same(larder.fetch("/x", host=host).body, b"origin", "the canonical name is not sent anywhere")
    origin, larder = setup(t, "redirect host www.example.com:81;")
    larder.start()
    same(go(larder, "/", "www.example.com"), (301, "http://www.example.com:81/"))
    same(go(larder, "/", "www.example.com:81"), (200, None))


def test_templates(t):
    origin, larder = setup(t, """
        rule prefix /a { redirect 302 "https://shop.example.com{path}{query}"; }
        rule prefix /b { redirect 308 "/new{path}{query}"; }
        rule prefix /c { redirect 303 "http://m.{host}:81/c?from={path}&at={host}"; }
        rule prefix /d { redirect 307 "https://{host}{path}"; }
        rule path /e { redirect 301 "/e"; }
        rule cookie moved { redirect 301 "/moved"; }
        rule prefix /f { redirect 301 "http://www.example.com/f{query}"; }""")
    larder.start()
    for target, wanted in (
            ("/a/x?q=1&r", (302, "https://shop.example.com/a/x?q=1&r")), ("/a", (302, "https://shop.example.com/a")),
            ("/a?", (302, "https://shop.example.com/a?")), ("/b/%2F?x", (308, "/new/b/%2F?x")),
            ("/c/a&b=%20?z", (303, "http://m.www.example.com:81/c?from=/c/a%26b%3D%2520&at=www.example.com")),
            ("/d/<x>?y", (307, "https://www.example.com/d/%3Cx%3E")), ("/e", (200, None)),
            ("/f/x?y", (301, "http://www.example.com/f?y")), ("/f?y", (200, None)), ("/ax", (200, None))):
        same(go(larder, target), wanted, target)
    same(larder.fetch("/a", host="www.example.com").get("Cache-Control"), "no-store")
    same(go(larder, "/x", headers=[("Cookie", "moved=1")]), (301, "/moved"))
    same(larder.fetch("/x", host="www.example.com", headers=[("Cookie", "moved=1")]).get("Cache-Control"), "no-store",
         "a cookie decides: nobody may keep it")


def test_no_open_redirect(t):
    """What a client sends never becomes another host, another line or another field."""
    origin, larder = setup(t, "redirect https;\nnormalize_path off;\n"
                           "rule prefix /r { redirect 301 \"/new{path}\"; }", names="*")
    larder.start()
    same(go(larder, "//evil.test/x", "site.test"), (301, "https://site.test//evil.test/x"))
    same(go(larder, "/\\evil.test", "site.test"), (301, "https://site.test/%5Cevil.test"))
    same(go(larder, "/r//evil.test", "site.test"), (301, "/new/r//evil.test"))
    same(go(larder, "/@evil.test", "site.test"), (301, "https://site.test/@evil.test"))
    same(go(larder, "/%0d%0aX-Y:%20z", "site.test"), (301, "https://site.test/%0d%0aX-Y:%20z"))
    same(go(larder, "http://other.test/x", "site.test"), (301, "https://other.test/x"))
    for bad in ("a b", "a@b", "a/b", "a\\b", "a\tb"):
        assert larder.fetch("/", host=bad).status == 400, bad


def test_check(t):
    origin, larder = setup(t)
    for bad, words in (('redirect 301 "{path}";', "must begin with"), ('redirect 301 "/{path}";', "names a host"),
                       ('redirect 301 "//evil.test/";', "names a host"), ('redirect 301 "https://{path}";', "no host"),
                       ('redirect 301 "https://evil{host}/";', "{host} is a whole name"),
                       ('redirect 301 "https://a.test{query}";', "comes /"), ('redirect 301 "https://a.test@b/";', "comes /"),
                       ('redirect 301 "https://{host}.evil.test/";', "comes /"), ('redirect 301 "/{host}";', "behind the scheme"),
                       ('redirect 301 "/x{user}";', "in braces"), ('redirect 301 "/x?{query}";', "{query} has its own"),
                       ('redirect 301 "javascript:x";', "must begin with"), ('redirect 304 "/x";', "not a value"),
                       ('redirect 301 "/a b";', "bytes that no URL has"), ("redirect https port=0;", "port=1"),
                       ("redirect host a/b;", "not a host name"), ("respond 304;", "not a status"),
                       ("respond 204 x;", "no content"), ("respond 200 /does/not/exist;", "No such file"),
                       ("respond 200 /tmp;", "not a regular file"), ("respond 200 x type=y;", "type=MEDIA/TYPE"),
                       ("respond 200 a b;", "one word too many")):
        larder.write_config(sites=f"site * {{ origins {{ server o http://127.0.0.1:1; }}\n{bad} }}")
        done = larder.cli("check", larder.config_path, check=1)
        assert words in done.stdout + done.stderr, (bad, done.stdout, done.stderr)


def test_respond(t):
    origin, larder = setup(t)
    path = os.path.join(larder.folder, "robots.txt")
    with open(path, "w", encoding="ascii") as out:
        out.write("User-agent: *\n")
    larder.write_config(sites=f"""site * {{ origins {{ server o http://127.0.0.1:{origin.port}; }}
        header response set X-Site yes;
        rule path /robots.txt {{ respond 200 {path}; }}
        rule path /gone {{ respond 410 "It is gone." ; }}
        rule path /json {{ respond 200 "{{\\"ok\\":true}}" type=application/json; }}
        rule path /none {{ respond 204; }}
        rule path /reset {{ respond 205; }}
        rule path /deny/* {{ respond 403; header response set X-Rule yes; }}
        rule path /deny/not {{ respond off; }} }}""")
    larder.start()
    response = larder.fetch("/robots.txt")
    same((response.status, response.body, response.get("Content-Type"), response.get("Content-Length"),
          response.get("Cache-Control"), response.get("X-Site")),
         (200, b"User-agent: *\n", "text/plain; charset=utf-8", "14", "no-cache", "yes"))
    tag = response.get("ETag")
    assert tag and response.get("Date"), response
    for value, status in ((tag, 304), (f'"x", W/{tag}', 304), ("*", 304), ('"x"', 200)):
        again = larder.fetch("/robots.txt", headers=[("If-None-Match", value)])
        same((again.status, again.body, again.get("ETag")), (status, b"" if status == 304 else response.body, tag), value)
    again = larder.fetch("/robots.txt", "HEAD")
    same((again.status, again.body, again.get("Content-Length")), (200, b"", "14"))
    same(larder.fetch("/robots.txt", headers=[("Range", "bytes=0-1")]).body, response.body)
    response = larder.fetch("/gone")
    same((response.status, response.body, response.get("Cache-Control"), response.get("ETag")),
         (410, b"It is gone.", "no-store", None))
    same((larder.fetch("/json").body, larder.fetch("/json").get("Content-Type")), (b'{"ok":true}', "application/json"))
    response = larder.fetch("/none")
    same((response.status, response.get("Content-Length"), response.get("Content-Type")), (204, None, None))
    same((larder.fetch("/reset").status, larder.fetch("/reset").get("Content-Length")), (205, "0"))
    response = larder.fetch("/deny/x", "POST", body=b"y" * 1000)
    same((response.status, response.get("Content-Length"), response.get("X-Rule")), (403, "0", "yes"))
    same(origin.count(), 0)
    same(larder.fetch("/deny/not").body, b"origin")
    # Nothing is read per request; a reload reads again, and a file that is gone changes nothing.
    with open(path, "w", encoding="ascii") as out:
        out.write("other")
    same(larder.fetch("/robots.txt").body, b"User-agent: *\n")
    larder.command("reload", check=0)
    response = larder.fetch("/robots.txt")
    assert response.body == b"other" and response.get("ETag") != tag, response
    os.unlink(path)
    larder.command("reload", check=1)
    same(larder.fetch("/robots.txt").body, b"other")


def test_large_page(t):
    origin, larder = setup(t)
    data = bytes(range(256)) * 4096
    for size, status in ((len(data), 0), (len(data) + 1, 1)):
        path = os.path.join(larder.folder, f"page{status}.bin")
        with open(path, "wb") as out:
            out.write((data * 2)[:size])
        larder.write_config(sites=f"site * {{ origins {{ server o http://127.0.0.1:1; }} respond 200 {path}; }}")
        larder.cli("check", larder.config_path, check=status)
    larder.write_config(sites=f"site * {{ origins {{ server o http://127.0.0.1:1; }} respond 200 {larder.folder}/page0.bin; }}")
    larder.start()
    with larder.client(receive_buffer=4096) as client:
        for _ in range(3):
            client.request("/")
            response = client.read_response()
            same((response.status, response.get("Content-Type")), (200, "application/octet-stream"))
            assert response.body == data


def test_purge_and_redirect(t):
    origin, larder = setup(t, "cache { purge from 127.0.0.1; }")
    larder.start()
    same(larder.fetch("/x", host="example.com").status, 200)
    larder.write_config(sites=larder.settings["sites"].replace("cache {", "redirect https; cache {"))
    larder.command("reload", check=0)
    response = larder.fetch("/x", "PURGE", host="example.com")
    same((response.status, json.loads(response.body)["matched"], response.get("Content-Type")), (200, 1, "application/json"))


def test_explain(t):
    origin, larder = setup(t, "redirect https;\nrule path /gone { redirect off; respond 410; }\n"
                           "rule path /off { redirect off; }")
    larder.start()

    def explain(url):
        answer = json.loads(larder.command("explain", url, "--json", check=0).stdout)
        return answer, {one["name"]: one for one in answer["settings"]}
    answer, settings = explain("http://example.com/x?y")
    same((answer["answer"], answer["status"], answer["location"], answer["origin"], answer["cache_asked"]),
         ("redirect", 301, "https://example.com/x?y", None, False))
    same((settings["redirect"]["value"], settings["redirect"]["from"]), ("https", "site"))
    answer, settings = explain("http://example.com/gone")
    same((answer["answer"], answer["status"], settings["respond"]["value"], settings["respond"]["from"]),
         ("respond", 410, "410", "rule"))
    answer, settings = explain("http://example.com/off")
    same((answer["answer"], settings["redirect"]["value"], settings["respond"]["value"]), ("miss", "off", "off"))
    text = larder.command("explain", "http://example.com/x", check=0).stdout
    assert "https://example.com/x" in text and "redirect" in text, text
    same(origin.count(), 0)
