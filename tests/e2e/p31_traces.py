"""A request that failed can be traced to its origin: access log, error log, and the answer where a name has no address."""
from case import content, free_port, head, raw, reply, same, wait_for
from dns import NameServer


def records(larder, count):
    wait_for(lambda: len(larder.access_records()) >= count, 5, "the access log")
    return larder.access_records()


def trace(record):
    return (record["status"], record["reason"], record["origin"], record.get("error"), record.get("tries"))


def test_kinds_of_failure(t):
    """The server asked last, and the word the metrics have for what happened."""
    def cut(conn, _request):
        conn.send(head(200, [("Content-Length", "100"), ("Cache-Control", "no-store")]) + b"some")
        conn.close()
    origin = t.origin({"/close": lambda conn, _request: conn.close(), "/bad": raw(b"nonsense\r\n\r\n"),
                       "/slow": reply("late", delay=60), "/cut": cut, "/fine": reply("fine", cache="max-age=60")})
    larder = t.larder(sites=f"""
origins app {{ server one http://127.0.0.1:{origin.port}; timeout first_byte=3s; retry 0; }}
origins gone {{ server two http://127.0.0.1:{free_port()}; }}
site gone.test {{ origins gone; }}
site own.test {{ origins {{ server three http://127.0.0.1:{free_port()}; }} }}
site * {{ origins app; }}""", workers=1)
    for target, host in (("/close", "site.test"), ("/bad", "site.test"), ("/slow", "site.test"), ("/x", "gone.test"),
                         ("/x", "own.test"), ("/cut", "site.test"), ("/fine", "site.test"), ("/fine", "site.test")):
        larder.fetch(target, host=host)
    same([trace(record) for record in records(larder, 8)], [
        (502, "origin_error", "app/one", "closed", None),
        (502, "origin_error", "app/one", "bad_response", None),
        (504, "origin_error", "app/one", "first_byte_timeout", None),
        (502, "origin_error", "gone/two", "connect_refused", None),
        (502, "origin_error", "three", "connect_refused", None),
        (200, "no_store", "app/one", "incomplete", None),
        (200, "absent", "app/one", None, None),
        (200, "fresh", "", None, None)])


def test_tries(t):
    """What another server answered is no failure, but shows; after the last one its failure is told."""
    good = t.origin(default=reply("good", cache="no-store"))
    larder = t.larder(sites=f"""
origins some {{ server good http://127.0.0.1:{good.port} backup; server bad http://127.0.0.1:{free_port()}; eject off; }}
origins none {{ server a http://127.0.0.1:{free_port()}; server b http://127.0.0.1:{free_port()} backup; retry 1; eject off; }}
site none.test {{ origins none; }}
site * {{ origins some; }}""", workers=1)
    larder.fetch("/x")
    larder.fetch("/x", host="none.test")
    first, second = records(larder, 2)
    same((first["status"], first["origin"], first.get("error"), first.get("tries")), (200, "some/good", None, 2))
    same(trace(second), (502, "origin_error", "none/b", "connect_refused", 2))


def test_stale_says_why(t):
    origin = t.origin({"/s": reply("kept", cache="max-age=0, stale-if-error=600", etag='"1"')})
    larder = t.larder(sites=f"origins app {{ server one http://127.0.0.1:{origin.port}; }}\nsite * {{ origins app; }}",
                      workers=1)
    larder.fetch("/s")
    origin.shut()
    same(larder.fetch("/s").body, b"kept")
    record = records(larder, 2)[1]
    same((record["result"], *trace(record)), ("stale", 200, "stale_if_error", "app/one", "connect_refused", None))


def test_each_server_has_its_lines(t):
    """A burst of failures: one line for each server and kind, not one for all of them."""
    closing = t.origin(default=lambda conn, _request: conn.close())
    names = ("one", "two", "three")
    servers = " ".join(f"server {name} http://127.0.0.1:{free_port()};" for name in names)
    larder = t.larder(sites=f"""
origins app {{ {servers} retry 0; eject off; }}
origins other {{ server one http://127.0.0.1:{closing.port}; retry 0; eject off; }}
site other.test {{ origins other; }}
site * {{ origins app; }}""")
    for _ in range(4):
        for _ in names:
            larder.fetch("/x")
        larder.fetch("/x", host="other.test")
    lines = [line for line in larder.output().splitlines() if " origin_fault " in line]
    for name in names:
        assert any(f" origin=app/{name} " in line and " error=connect_refused " in line for line in lines), (name, lines)
    assert any(" origin=other/one " in line and " error=closed " in line for line in lines), lines
    assert len(lines) < 12, lines


def test_lone_name_without_address(t):
    """`larder origins` says down and 503: that is what visitors get, with a time to try again."""
    server = NameServer({})
    t.undo.append(server.stop)
    larder = t.larder(extra=f"resolver 127.0.0.1:{server.port};",
                      sites="origins app { server one http://app.test:80; }\nsite * { origins app; }")
    wait_for(lambda: "no address" in larder.command("origins").stdout, 10, "what is known of the name")
    response = larder.fetch("/x")
    same(response.status, 503)
    assert int(response.get("Retry-After")) in range(1, 61), response.raw_head
    assert "error=dns_error" in response.get("Proxy-Status", ""), response.raw_head
    same(trace(records(larder, 1)[0]), (503, "origin_down", "", "dns", None))
    # Stale copies are sent as for any other origin that is down: p13_dns, o11_stale.


def test_refused_paths_and_headers(t):
    origin = t.origin(default=reply(content("/x", 10), cache="no-store"))
    larder = t.larder(origin, site="normalize_path reject;")
    same(larder.fetch("//x").status, 400)
    same(trace(records(larder, 1)[0]), (400, "path", "", None, None))
    for header in (b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 80\r\n", b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12)):
        with larder.client() as client:
            client.send(header + b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")
            response = client.read_response()
        same(response.status, 400)
        assert b"a PROXY protocol header on a listener that does not expect one" in response.body, response.body
    same(origin.count(), 0)
