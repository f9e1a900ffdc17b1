"""Larders in chains, all with default settings, and Larders in circles: the first work, the others end at once."""
import re

from case import Client, fetch, free_port, reply, same, wait_for
from forwarding import ask, proxy

OWN = re.compile(r"1\.[01] larder-[0-9a-f]{12}")


def test_chain_of_sites(t):
    """Three in a row, all of one name; each is named by itself."""
    origin = t.origin(default=reply("x", cache="no-store"))
    last = t.larder(origin)
    middle = t.larder(last.port)
    first = t.larder(middle.port)
    same(first.fetch("/a").body, b"x")
    names = [name.strip() for name in origin.last("/a").get("Via").split(",")]
    same((len(names), len(set(names)), all(OWN.fullmatch(name) for name in names)), (3, 3, True), names)
    same(first.fetch("/a").get("Via"), "1.1 larder, 1.1 larder, 1.1 larder", "responses go round nowhere")


def test_two_sites_of_one_larder(t):
    """One may ask the other; a circle of two is one."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = t.larder(origin, start=False)
    site = "site {name} {{ origins {{ server s http://127.0.0.1:{port}; host {to}; }} }}"
    larder.write_config(sites="\n".join([
        site.format(name="a.test", port=larder.port, to="b.test"), site.format(name="b.test", port=origin.port, to="b.test"),
        site.format(name="c.test", port=larder.port, to="d.test"), site.format(name="d.test", port=larder.port, to="c.test")]))
    larder.start()
    same(larder.fetch("/x", host="a.test").body, b"x")
    same(larder.fetch("/x", host="c.test").status, 508)
    wait_for(lambda: len(larder.access_lines()) >= 5, 10, "the access log")
    same(sorted(record["site"] for record in larder.access_records()), ["a.test", "b.test", "c.test", "c.test", "d.test"])


def test_circles_of_sites(t):
    """A to A, and A to B to A: it ends where it comes back, cacheable or not."""
    alone = t.larder(free_port(), start=False)
    alone.write_config(origin_port=alone.port)
    alone.start()
    one = t.larder(free_port(), start=False)
    other = t.larder(one.port)
    one.write_config(origin_port=other.port)
    one.start()
    for larder, requests in ((alone, 2), (one, 2)):
        for number, (method, body) in enumerate((("GET", None), ("POST", b"x"), ("HEAD", None)), 1):
            response = larder.fetch("/a", method, body=body)
            same(response.status, 508, method)
            assert "proxy_loop_detected" in response.get("Proxy-Status"), response.raw_head
            wait_for(lambda number=number, requests=requests, larder=larder: len(larder.access_lines()) == number * requests, 10,
                     "the access log")
    wait_for(lambda: len(other.access_lines()) == 3, 10, "the other's access log")


def test_names(t):
    """A name that was set is taken at its word; others of that name are no chain then."""
    origin = t.origin(default=reply("x", cache="no-store"))
    last = t.larder(origin, site="via edge;")
    first = t.larder(last.port, site="via edge;")
    same(first.fetch("/a").status, 508)
    other = t.larder(last.port, site="via front;")
    same(other.fetch("/a").status, 200)
    same(origin.last("/a").get("Via"), "1.1 front, 1.1 edge")


def test_endless_rows(t):
    """Nobody is 32 proxies away: who comes from there goes round somewhere where our name is lost."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = t.larder(origin)
    far = ", ".join(f"1.1 p{number}" for number in range(32))
    same(larder.fetch("/a", headers=[("Via", far)]).status, 200)
    same(larder.fetch("/a", headers=[("Via", far), ("Via", "1.1 p32")]).status, 508)


def test_forward_proxy_before_a_site(t):
    """An office's proxy before a shop's: each with default settings, hiding or not."""
    origin = t.origin(default=reply("x", cache="no-store"))
    shop = t.larder(origin)
    for settings, vias in (("", 1), ("identity forward;", 2), ("identity transparent;", 1)):
        office = proxy(t, settings)
        same(ask(office, shop, "/a").body, b"x", settings)
        same(len(origin.last("/a").get("Via").split(",")), vias, settings)


def test_forward_proxy_to_itself(t):
    """In origin form no listener of a forward proxy takes a request."""
    for settings in ("identity hide;", "identity forward;", "identity transparent;"):
        larder = proxy(t, settings)
        with Client(larder.proxy) as client:
            host = f"127.0.0.1:{larder.proxy}"
            client.request(f"http://{host}/a", host=host)
            assert client.read_response().status in (400, 403, 508)
        wait_for(lambda larder=larder: larder.access_lines(), 10, "the access log")
        assert len(larder.access_lines()) <= 2, larder.access_lines()


def test_strangers_hops(t):
    """The field between Larders: nobody's claim of it goes on, and what is too long ends."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = proxy(t)
    for settings in ("identity hide;", "identity forward;", "identity transparent;"):
        larder.write(settings)
        larder.command("reload", check=0)
        same(ask(larder, origin, "/a", headers=[("Larder-Hops", "a, b"), ("larder_hops", "c")]).status, 200)
        assert b"hops" not in origin.last("/a").raw_head.lower(), origin.last("/a").raw_head
    many = ", ".join(f"larder-{number}" for number in range(33))
    same(ask(larder, origin, "/a", headers=[("Larder-Hops", many)]).status, 508)
    same(fetch(larder.port, "/a", headers=[("Larder-Hops", many)]).status, 502, "a site has nothing to do with it")


def circle(t, *settings):
    """Forward proxies, each the parent of the one before it, the first that of the last."""
    ports = [free_port() for _ in settings]
    larders = []
    for number, text in enumerate(settings):
        larder = t.larder(start=False, sites="", listen="forward office;")
        larder.port = ports[number]
        larder.write_config(sites=f"""forward office {{ acl {{ allow all; }} {text}
    upstream http://127.0.0.1:{ports[(number + 1) % len(ports)]}; }}""")
        larders.append(larder.start())
    return larders


def test_circles_of_parents(t):
    """Each sends to the other for ever, and none shows itself to servers: it ends where it comes back, tunnels too."""
    for settings in (("",), ("", ""), ("identity forward;", ""), ("identity transparent;", "identity forward;"),
                     ("", "identity forward;", "identity transparent;")):
        larders = circle(t, *settings)
        first = larders[0]
        lines = 0
        for method, body in (("GET", None), ("POST", b"x"), ("HEAD", None)):
            with Client(first.port) as client:
                client.request("http://far.test/a", method, host="far.test", body=body)
                response = client.read_response(method)
            same(response.status, 508, (settings, method))
            lines += 2
            wait_for(lambda first=first, lines=lines: len(first.access_lines()) >= lines, 10, "the access log")
        with Client(first.port) as client:
            client.request("far.test:443", "CONNECT", host="far.test:443")
            assert client.read_head().status >= 500, settings
        for larder in larders:
            assert len(larder.access_lines()) <= lines + 2, (settings, len(larder.access_lines()))


def test_hops_are_between_larders(t):
    """A parent learns where the request has been by a field for it alone; the server behind it does not."""
    origin = t.origin(default=reply("x", cache="no-store"))
    parent = t.origin(default=reply("from the parent", cache="no-store"))
    for settings in ("", "identity forward;", "identity transparent;"):
        larder = proxy(t, f"{settings} upstream http://127.0.0.1:{parent.port};")
        ask(larder, origin, "/a")
        request = parent.last()
        assert re.fullmatch("larder-[0-9a-f]{12}", request.get("Larder-Hops")), request.raw_head
        assert "Larder-Hops" in request.get("Connection"), request.raw_head
        ask(larder, origin, "/a", headers=[("Larder-Hops", "larder-0123456789ab")])
        assert re.fullmatch("larder-0123456789ab, larder-[0-9a-f]{12}", parent.last().get("Larder-Hops")), parent.last().raw_head
        second = proxy(t, f"upstream http://127.0.0.1:{larder.proxy};")
        larder.write(settings)
        larder.command("reload", check=0)
        same(ask(second, origin, "/b").body, b"x")
        assert b"hops" not in origin.last("/b").raw_head.lower(), origin.last("/b").raw_head
