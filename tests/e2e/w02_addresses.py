"""Rules about the address of a name: asked for before anything is sent, for hits too, and each address by itself."""
from case import reply, same
from w01_access import connect, get, status
from w20_names import dns, proxy

A = "127.0.0.1"


def test_hits_are_judged_by_address(t):
    """What one client may fetch from inside is not handed to another out of the cache, by name or address."""
    origin = t.origin()
    origin.default = reply(b"inside", cache="max-age=600")
    server = dns(t, {"in.test": [("A", A, 60)]})
    larder = proxy(t, server, acl=f"acl {{ allow some client 127.0.0.2 to loopback port {origin.port}; "
                                  f"allow rest port {origin.port}; }}")
    for host in ("in.test", A):
        url = f"http://{host}:{origin.port}/{host}"
        same(status(larder, url, source="127.0.0.2"), 200)
        assert get(larder, url, source="127.0.0.2").is_hit
        answer = get(larder, url)
        same((answer.status, b"Rule: private\n" in answer.body), (403, True), (host, answer.body))
        same(connect(larder, f"{host}:{origin.port}").status, 403)
    same(origin.count(), 2)


def test_deny_by_address(t):
    """`deny ... to` holds for names that resolve to it; a name without an address ends with 502, nobody is asked."""
    origin = t.origin()
    origin.default = reply(b"page", cache="max-age=600")
    server = dns(t, {"in.test": [("A", A, 60)], "other.test": [("A", "127.0.0.9", 60)]})
    larder = proxy(t, server, acl=f"acl {{ deny one to 127.0.0.8/29 reason=\"not there\"; "
                                  f"allow rest to loopback port {origin.port}; }}")
    same(get(larder, f"http://in.test:{origin.port}/").body, b"page")
    answer = get(larder, f"http://other.test:{origin.port}/")
    same((answer.status, b"Not there" in answer.body), (403, True), answer.body)
    same(connect(larder, f"other.test:{origin.port}").status, 403)
    same(status(larder, f"http://nowhere.test:{origin.port}/"), 502)
    same(connect(larder, f"nowhere.test:{origin.port}").status, 502)
    same(origin.count(), 1)


def test_one_address_is_enough(t):
    """Of several addresses those that may be connected to are, and no other."""
    origin = t.origin()
    origin.default = reply(b"page", cache="no-store")
    server = dns(t, {"two.test": [("A", "127.0.0.9", 60), ("A", A, 60)]})
    larder = proxy(t, server, acl=f"acl {{ deny one to 127.0.0.9; allow rest to loopback port {origin.port}; }}")
    for _ in range(4):
        same(get(larder, f"http://two.test:{origin.port}/").body, b"page")
