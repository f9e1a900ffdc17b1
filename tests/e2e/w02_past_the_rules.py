"""Ways past the rules that must not be: another reading of a path, another address than the one judged, a parent's choice."""
from case import Client, raw, reply, same, settle, wait_for
from tunnels import Server, ask, echo, records
from w20_names import at, dns, get, proxy
from x10_parents import pool


def test_both_readings_of_a_path(t):
    """What an escaped slash may mean counts for rules about the response and about addresses, too."""
    origin = at(t, "127.0.0.1", "tool")
    origin.default = reply("tool", headers=[("Content-Type", "application/x-tool")])
    target = f"http://127.0.0.1:{origin.port}"
    larder = proxy(t, None, acl="acl { deny tools path /secret/* type application/x-tool; allow any to loopback port 1-65535; }")
    for path in ("/secret/tool", "/secret%2Ftool", "/secret%5Ctool"):
        same(get(larder, target + path).status, 403, path)
    same(get(larder, target + "/other").status, 200)
    larder = proxy(t, None, acl="acl { deny big path /secret/* size >3; allow any to loopback port 1-65535; }")
    for path in ("/secret/big", "/secret%2Fbig"):
        same(get(larder, target + path).status, 403, path)
    # Nothing is sent there: no connection can be made from 127.0.0.1.
    names = dns(t, {"far.test": [("A", "8.8.8.8", 60)]})
    larder = proxy(t, names, block="outgoing 127.0.0.1;", acl="acl { deny secret path /secret/* to 8.8.8.0/24; allow any all; }")
    for path, status in (("/x", 502), ("/secret/x", 403), ("/secret%2Fx", 403)):
        for host in ("far.test", "8.8.8.8"):
            same(get(larder, f"http://{host}{path}").status, status, (host, path))


def test_the_response_is_judged_by_the_address_it_came_from(t):
    """Each address may have a rule of its own; the one that was connected to counts."""
    first = at(t, "127.0.0.1", "one")
    second = at(t, "127.0.0.2", "two", port=first.port)
    second.default = reply("two", headers=[("Content-Type", "application/x-tool")])
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300), ("A", "127.0.0.2", 300)]})
    larder = proxy(t, server, acl="""acl { allow one to 127.0.0.1 port 1-65535;
        deny tools to 127.0.0.2 type application/x-tool; allow two to 127.0.0.2 port 1-65535; }""")
    first.shut()
    response = get(larder, f"http://app.test:{first.port}/x")
    same(response.status, 403)
    assert b"Rule: tools" in response.body, response.body


def test_a_parent_chooses(t):
    """Where a parent is asked, none of the name's addresses may be denied: nobody knows which one it takes."""
    parent = t.origin(default=reply("by the parent", cache="max-age=60"))
    direct = at(t, "127.0.0.1", "direct")
    server = dns(t, {"mixed.test": [("A", "127.0.0.1", 60), ("A", "127.0.0.9", 60)], "good.test": [("A", "127.0.0.1", 60)],
                     "last.test": [("A", f"127.0.1.{n}", 60) for n in range(7)] + [("A", "127.0.0.9", 60)]})
    acl = "acl { deny no to 127.0.0.9; allow any to loopback port 1-65535; }"
    block = "rule path /by/* { upstream parents; } rule host last.test { upstream parents else=direct; }"
    larder = proxy(t, server, block=block, extra=pool(parent), acl=acl)

    def url(name, path="/by/x"):
        return f"http://{name}.test:{direct.port}{path}"
    same(get(larder, url("good")).body, b"by the parent")
    for target in (url("mixed"), url("last", "/")):
        response = get(larder, target)
        same(response.status, 403, target)
        assert b"Rule: no" in response.body, response.body
        assert "destination_ip_prohibited" in response.get("Proxy-Status"), response.raw_head
    same(get(larder, url("mixed", "/x")).body, b"direct", "straight to the one that is allowed")
    same(len(parent.requests), 1)
    tested = larder.command("access", "test", "127.0.0.1", url("mixed"), check=None)
    assert "no" in tested.stdout and "denied" in tested.stdout.lower(), tested.stdout
    larder = proxy(t, server, block="upstream parents;", extra=pool(parent), acl=acl)
    with Client(larder.port) as client:
        client.send("CONNECT mixed.test:443 HTTP/1.1\r\nHost: mixed.test:443\r\n\r\n")
        same(client.read_head().status, 403)
    same(len(parent.requests), 1)


def test_where_a_tunnel_went(t):
    """The log says which server it was, of one that stood and of one that could not; of one denied there is none."""
    server = Server(t, echo)
    names = dns(t, {"app.test": [("A", "127.0.0.1", 60)], "no.test": [("A", "127.0.0.9", 60)]})
    larder = proxy(t, names, acl="acl { deny no to 127.0.0.9; allow any to loopback port 1-65535; }")
    larder.proxy_port = larder.port
    for host in ("app.test", "127.0.0.1", "no.test"):
        with ask(larder, server.port, host=host) as client:
            client.read_head()
    server.stop()
    with ask(larder, server.port, host="app.test") as client:
        same(client.read_head().status, 502)
    same(sorted((r["status"], r.get("origin") or "") for r in records(larder, 4)),
         [(200, "direct/127.0.0.1"), (200, "direct/app.test"), (403, ""), (502, "direct/app.test")])


def test_redirects_are_the_servers(t):
    """A forward proxy changes no address in a response, straight or by a parent, also when the client left meanwhile."""
    origin, parent = t.origin(), t.origin()
    server = f"http://127.0.0.1:{origin.port}"
    larder = proxy(t, None, block="rule path /by/* { upstream parents; }", extra=pool(parent))
    targets = [f"{server}/y", f"https://127.0.0.1:{origin.port}/y", "https://127.0.0.1/y", "/y", "//127.0.0.1/y",
               f"http://127.0.0.1:{parent.port}/y"]
    for way, asked in (("", origin), ("/by", parent)):
        for number, target in enumerate(targets):
            asked.default = reply("moved", status=301, cache="max-age=60", headers=[("Location", target)])
            for _ in range(2):
                same(get(larder, f"{server}{way}/{number}").get("Location"), target, way)
    for asked, way in ((origin, ""), (parent, "/by")):
        asked.default = reply("moved", status=301, cache="max-age=60", headers=[("Location", f"{server}/z")], delay=0.5)
        client = Client(larder.port)
        client.send(f"GET {server}{way}/gone HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: asked.count() and any("gone" in r.line for r in asked.requests), 5, "the request")
        client.close()
        others = [Client(larder.port) for _ in range(4)]
        for other in others:
            other.send(f"GET {server}/{'w' * 500} HTTP/1.1\r\nHost: {'v' * 200}\r\n\r\n")
        settle(1)
        for other in others:
            other.close()
        same(get(larder, f"{server}{way}/gone").get("Location"), f"{server}/z")


def test_several_types(t):
    """Which of them a program believes nobody knows: one to deny is enough, and all must be allowed."""
    one, other = b"text/plain", b"application/x-tool"
    lines = [b"Content-Type: %s\r\nContent-Type: %s\r\n", b"Content-Type: %s, %s\r\n", b"Content-Type: %s;a=b\r\nX: y\r\nContent-Type: %s\r\n"]
    origin = t.origin()
    larder = proxy(t, None, acl="""acl { deny tools type application/x-tool client 127.0.0.1; allow texts type text/* client 127.0.0.2;
        allow any client 127.0.0.1 to loopback port 1-65535; }""".replace("client 127.0.0.2", "client 127.0.0.2 to loopback port 1-65535"))
    for line in lines:
        for pair, statuses in (((one, other), (403, 403)), ((other, one), (403, 403)), ((one, one), (200, 200))):
            origin.default = raw(b"HTTP/1.1 200 OK\r\n" + line % pair + b"Cache-Control: no-store\r\nContent-Length: 1\r\n\r\nx")
            same(tuple(get(larder, f"http://127.0.0.1:{origin.port}/", source=source).status
                       for source in ("127.0.0.1", "127.0.0.2")), statuses, (line, pair))


def test_too_large_from_the_start(t):
    """Of a body without a length that is too large before anything was sent: a 403 that says so, not a cut."""
    def chunked(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + b"64\r\n" + b"c" * 100 + b"\r\n" + b"1000\r\n" + b"d" * 4096 + b"\r\n0\r\n\r\n")
    origin = t.origin(default=chunked)
    larder = proxy(t, None, acl="acl { deny big size >2K client 127.0.0.1; allow any to loopback port 1-65535; }")
    for headers in ([], [("Range", "bytes=0-9")], [("Cache-Control", "no-store")]):
        for _ in range(2):
            same(get(larder, f"http://127.0.0.1:{origin.port}/x", headers=headers).status, 403)
    same(len(get(larder, f"http://127.0.0.1:{origin.port}/x", source="127.0.0.2").body), 4196)
