"""Rules act on the address that is connected to: names that resolve to inside, names that change their answer, what others may
follow and what they find in the cache."""
import threading
import time

from case import reply, same, wait_for
from client import Client
from dns import NameServer
from w20_names import at, dns, get, proxy

PUBLIC = "acl { allow any port 1-65535; }"  # public addresses, as nothing is said of others
INSIDE = "acl { allow any to loopback port 1-65535; }"


def url(origin, name="app.test", path="/x"):
    return f"http://{name}:{origin.port}{path}"


def prohibited(response):
    same(response.status, 403)
    assert "error=destination_ip_prohibited" in response.get("Proxy-Status", ""), response.raw_head
    assert b"Rule: private" in response.body, response.body


def connections(t):
    """Who is connected to, on every loopback address there is for these tests."""
    return sum(origin.connections for origin in t.origins)


def test_names_of_inside(t):
    """Names that resolve to an address that is not public are denied by default: nothing is sent to any of them."""
    origin = at(t, "127.0.0.1", "inside")
    names = {
        "a.test": [("A", "127.0.0.1", 60)], "b.test": [("A", "127.8.9.1", 60)], "c.test": [("A", "10.1.2.3", 60)],
        "d.test": [("A", "169.254.169.254", 60)], "e.test": [("A", "0.0.0.0", 60)], "f.test": [("A", "192.168.0.1", 60)],
        "g.test": [("A", "100.64.0.1", 60)], "h.test": [("A", "224.0.0.1", 60)], "i.test": [("AAAA", "::1", 60)],
        "j.test": [("AAAA", "::ffff:127.0.0.1", 60)], "k.test": [("AAAA", "fd00::1", 60)], "l.test": [("AAAA", "::", 60)],
        "m.test": [("AAAA", "::ffff:10.0.0.1", 60)], "n.test": [("AAAA", "64:ff9b::7f00:1", 60)],
        "o.test": [("AAAA", "2002:7f00:1::", 60)], "p.test": [("AAAA", "ff02::1", 60)],
        "q.test": [("CNAME", "a.test", 60)], "r.test": [("A", "127.0.0.1", 60), ("A", "10.0.0.1", 60)],
        "s.test": [("AAAA", "::127.0.0.1", 60)], "localhost": [],
    }
    larder = proxy(t, dns(t, names), acl=PUBLIC)
    for name in sorted(names):
        prohibited(get(larder, url(origin, name)))
    same(connections(t), 0)


def test_allowed_inside(t):
    """A rule with `to` allows them, and only what it says."""
    origin = at(t, "127.0.0.1", "inside")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60)], "map.test": [("AAAA", "::ffff:127.0.0.1", 60)],
                     "ten.test": [("A", "10.1.2.3", 60)]})
    larder = proxy(t, server, acl=INSIDE)
    same(get(larder, url(origin)).body, b"inside")
    same(get(larder, url(origin, "map.test")).body, b"inside")
    same(get(larder, url(origin, "ten.test")).status, 403)


def test_some_addresses_denied(t):
    """Of several addresses only those are connected to that the rules allow, whatever happens to the others."""
    first = at(t, "127.0.0.1", "one")
    second = at(t, "127.0.0.2", "two", port=first.port)
    third = at(t, "127.0.0.3", "three", port=first.port)
    server = dns(t, {"app.test": [("A", f"127.0.0.{n}", 300) for n in (1, 2, 3)]})
    larder = proxy(t, server, acl="acl { allow any to 127.0.0.3 127.0.0.2 port 1-65535; }")
    for _ in range(3):
        assert get(larder, url(first)).body in (b"two", b"three")
    second.shut()
    same(get(larder, url(first)).body, b"three")
    third.shut()
    response = get(larder, url(first))
    same(response.status, 502)
    assert "error=connection_refused" in response.get("Proxy-Status", ""), response.raw_head
    same(first.connections, 0)


class Changing(NameServer):
    """Gives the answers of `turns` in turn, with a time to live of 0."""

    turns = ["198.51.100.7", "127.0.0.1"]
    count = 0

    def records(self, name, kind):
        self.names = {name: [("A", self.turns[self.count % len(self.turns)], 0)]}
        self.count += kind == 1
        return super().records(name, kind)

    def answer(self, data):
        self.names = Everything()
        return super().answer(data)


class Everything(dict):
    def get(self, _name, _default=None):
        return []


def test_rebinding(t):
    """A name that changes between public and loopback with each question: what is connected to is what was judged."""
    origin = at(t, "127.0.0.1", "inside")
    server = Changing()
    t.undo.append(server.stop)
    larder = proxy(t, server, acl=PUBLIC, origins="timeout connect=200ms;")
    begun, statuses = time.monotonic(), set()
    while time.monotonic() < begun + 6 or 403 not in statuses or server.count < 4:
        assert time.monotonic() < begun + 50, (statuses, server.count)
        statuses.add(get(larder, url(origin)).status)
        time.sleep(0.05)
    assert 403 in statuses and statuses <= {403, 502, 504}, statuses
    same(connections(t), 0)


def test_rebinding_past_a_rule(t):
    """The same where a rule looks at the address before anything is sent."""
    origin = at(t, "127.0.0.1", "inside")
    server = Changing()
    server.turns = ["127.0.0.1", "127.0.0.9"]
    t.undo.append(server.stop)
    forbidden = at(t, "127.0.0.9", "forbidden", port=origin.port)
    larder = proxy(t, server, acl="acl { deny no to 127.0.0.9; allow any to loopback port 1-65535; }")
    begun, bodies = time.monotonic(), set()
    while time.monotonic() < begun + 6 or len(bodies) < 2:
        assert time.monotonic() < begun + 50, bodies
        bodies.add((get(larder, url(origin)).status))
        time.sleep(0.05)
    same(bodies, {200, 403})
    same(forbidden.connections, 0)


def test_reload_takes_a_permission_away(t):
    """A kept connection to an address that is no longer allowed is not used."""
    origin = at(t, "127.0.0.1", "inside")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300)]})
    larder = proxy(t, server, acl=INSIDE, workers=1)
    same(get(larder, url(origin)).body, b"inside")
    larder.write_config(sites=f"forward office {{ {PUBLIC} }}")
    larder.command("reload", check=0)
    prohibited(get(larder, url(origin)))
    same(len(origin.requests), 1)


BOTH = """acl { allow in client 127.0.0.1 to loopback port 1-65535; allow out client 127.0.0.2 port 1-65535; }"""


def ask(larder, target, source, got=None):
    with Client(larder.port, source=source, timeout=20) as client:
        client.request(target, host=target.split("/")[2])
        response = client.read_response()
    if got is not None:
        got.append(response)
    return response


def test_others_do_not_follow(t):
    """Who may not go there gets nothing of what is fetched for one who may: neither beside it nor out of the cache; who may
    is not held up by one who may not."""
    gate = threading.Event()

    def held(conn, request):
        gate.wait(60)
        reply("secret", cache="max-age=600")(conn, request)
    origin = t.origin(default=held)
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300)]})
    larder = proxy(t, server, acl=BOTH, workers=1)
    got = []
    thread = threading.Thread(target=ask, args=(larder, url(origin), "127.0.0.1", got))
    thread.start()
    wait_for(lambda: origin.requests, 5, "the first request")
    prohibited(ask(larder, url(origin), "127.0.0.2"))
    same(got, [])
    gate.set()
    thread.join()
    same(got[0].body, b"secret")
    assert ask(larder, url(origin), "127.0.0.1").is_hit
    prohibited(ask(larder, url(origin), "127.0.0.2"))
    same(origin.count(), 1)


def test_the_denied_one_comes_first(t):
    """While the name is looked up for one who may not, another who may comes: he is served, the first gets 403."""
    origin = t.origin(default=reply("secret", cache="max-age=600"))
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300)]})
    plain = server.answer
    server.answer = lambda data: (time.sleep(0.5), plain(data))[1]
    larder = proxy(t, server, acl=BOTH, workers=1)
    denied, served = [], []
    threads = [threading.Thread(target=ask, args=(larder, url(origin), source, got))
               for source, got in (("127.0.0.2", denied), ("127.0.0.1", served), ("127.0.0.2", denied), ("127.0.0.1", served))]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    same([response.body for response in served], [b"secret"] * 2)
    for response in denied:
        prohibited(response)
    same(larder.metrics()["larder_name_lookups_total"], 1)


def test_all_denied_alike(t):
    """Ten at once for a name of inside: each hears that its own rules deny the address, after one lookup."""
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300)]})
    plain = server.answer
    server.answer = lambda data: (time.sleep(0.4), plain(data))[1]
    larder = proxy(t, server, acl=PUBLIC, workers=1)
    got = []
    threads = [threading.Thread(target=ask, args=(larder, "http://app.test/x", "127.0.0.1", got)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(len(got), 10)
    same(larder.metrics()["larder_name_lookups_total"], 1)
    for response in got:
        prohibited(response)
