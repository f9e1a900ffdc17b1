"""CONNECT to names: looked up without holding anybody up, each address tried, the next one beside a silent one."""
import time

from case import same, wait_for
from dns import AAAA, NameServer
from tunnels import Deaf, Server, ask, connect, echo, forward, read_all, records


def proxy(t, names, block="", **words):
    server = NameServer(names)
    t.undo.append(server.stop)
    return server, forward(t, block, extra=f"resolver 127.0.0.1:{server.port};", **words)


def test_by_name(t):
    """A name of DNS in any case, one of the hosts file, an address of either family."""
    server, six = Server(t, echo), Server(t, echo, host="::1")
    names, larder = proxy(t, {"app.test": [("A", "127.0.0.1", 300)]})
    for host, port in (("app.test", server.port), ("APP.Test", server.port), ("localhost", server.port),
                       ("127.0.0.1", server.port), ("[::1]", six.port)):
        with connect(larder, port, host=host) as client:
            client.send(b"ping")
            same(client.read_some(4), b"ping", host)
    same(larder.metrics()["larder_name_lookups_total"], 2)  # app.test and localhost
    hosts = [record["host"] for record in records(larder, 5)]
    assert f"app.test:{server.port}" in hosts and f"[::1]:{six.port}" in hosts, hosts


def test_next_address(t):
    """One that refuses costs nothing, one that is silent a moment: the next is tried beside it (RFC 8305)."""
    deaf = Deaf(t)
    # the same port on the next address answers
    server = Server(t, echo, host="127.0.0.9", port=deaf.port)
    names, larder = proxy(t, {"both.test": [("A", "127.0.0.1", 300), ("A", "127.0.0.9", 300)],
                              "refused.test": [("A", "127.0.0.8", 300), ("A", "127.0.0.9", 300)]},
                          "origins { timeout connect=1m; }")
    for name in ("refused.test", "both.test"):
        begin = time.monotonic()
        with connect(larder, server.port, host=name, timeout=100) as client:
            took = time.monotonic() - begin
            client.send(b"ping")
            same(client.read_some(4), b"ping", name)
            assert took < 40, (name, took)  # long before the silent one's time is over


def test_one_family_first(t):
    """A name server that is slow about AAAA: what it says for A will do, and where that does not, AAAA is waited for."""
    server = Server(t, echo)
    Server(t, echo, host="::1", port=server.port)
    known = {name: [("A", address, 300), ("AAAA", "::1", 300)] for name, address in
             (("first.test", "127.0.0.1"), ("refused.test", "127.0.0.8"), ("denied.test", "127.0.0.9"))}
    names, larder = proxy(t, known, acl="acl { allow tests to 127.0.0.1 127.0.0.8 ::1 port 1-65535; }")
    names.silences = {(name, AAAA): 1000 if name == "first.test" else 3 for name in known}
    for name in known:
        with connect(larder, server.port, host=name) as client:
            same(larder.metrics()["larder_name_lookups_active"], int(name == "first.test"), name)
            client.send(b"ping")
            same(client.read_some(4), b"ping", name)
        wait_for(lambda: larder.metrics()["larder_name_lookups_active"] == 0, 30, "the end of the lookup")


def test_no_name(t):
    """No such name, no address, DNS that fails, DNS that is silent: 502 and 504 that say so."""
    names, larder = proxy(t, {"app.test": [("A", "127.0.0.1", 300)]})
    with ask(larder, 443, host="absent.test") as client:
        response = client.read_response()
        same((response.status, response.get("Connection")), (502, "close"))
        assert "error=dns_error" in response.get("Proxy-Status"), response.raw_head
        assert client.is_closed()
    names.answer = lambda data: None
    with ask(larder, 443, host="silent.test", timeout=60) as client, ask(larder, 443, host="left.test") as left:
        left.close()
        response = client.read_response()
        same(response.status, 504)
        assert "error=dns_timeout" in response.get("Proxy-Status"), response.raw_head


def test_while_looking_up(t):
    """What the client sends while the name is looked up is kept; others are served meanwhile."""
    server = Server(t)
    names, larder = proxy(t, {"slow.test": [("A", "127.0.0.1", 300)]})
    plain = names.answer
    names.answer = lambda data: (time.sleep(0.7), plain(data))[1]
    with ask(larder, server.port, host="slow.test", early=b"first ") as client:
        time.sleep(0.2)
        client.send(b"second ")
        with connect(larder, server.port):
            server.next().close()
        time.sleep(0.2)
        client.send(b"third")
        client.half_close()
        same(client.read_head().status, 200)
        same(read_all(server.next()), (b"first second third", "fin"))
