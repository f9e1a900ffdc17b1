"""`outgoing`: the address of ours that servers see, by listener, and what is never connected to."""
import threading

from case import Skip, free_port, reply, same, wait_for
from case import Origin
from w20_names import ACL, at, dns, get, proxy


class Seen(Origin):
    """Says who connected to it."""

    def __init__(self, t, host="127.0.0.1", port=0):
        super().__init__(default=lambda conn, _request: reply(conn.socket.getpeername()[0], cache="no-store")(conn, _request),
                         host=host, port=port)
        t.origins.append(self)


def test_one_address(t):
    """Connections leave from it, also kept ones, and after a reload from the new one."""
    origin = Seen(t)
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60)]})
    larder = proxy(t, server, block="outgoing 127.0.0.5;", workers=1)
    url = f"http://app.test:{origin.port}/"
    for _ in range(3):
        same(get(larder, url).body, b"127.0.0.5")
    same(origin.connections, 1)
    larder.write_config(sites=f"forward office {{ {ACL} outgoing 127.0.0.6; }}")
    larder.command("reload", check=0)
    same(get(larder, url).body, b"127.0.0.6")
    larder.write_config(sites=f"forward office {{ {ACL} outgoing off; }}")
    larder.command("reload", check=0)
    same(get(larder, url).body, b"127.0.0.1")
    assert "outgoing 127.0.0.6" not in larder.cli("config", "show", larder.config_path, check=0).stdout


def test_connections_are_not_shared(t):
    """Two forward proxies with other addresses use no connection of the other."""
    origin = Seen(t)
    second = free_port()
    larder = t.larder(listen="forward one;", workers=1,
                      sites=f"forward one {{ {ACL} outgoing 127.0.0.5; }} forward two {{ {ACL} outgoing 127.0.0.6; }}",
                      extra=f"listen 127.0.0.1:{second} {{ forward two; }}")
    from client import fetch
    for _ in range(2):
        same(get(larder, f"http://127.0.0.1:{origin.port}/").body, b"127.0.0.5")
        same(fetch(second, f"http://127.0.0.1:{origin.port}/", host=f"127.0.0.1:{origin.port}").body, b"127.0.0.6")
    same(origin.connections, 2)


def test_by_family(t):
    """IPv4 leaves from the IPv4 address, IPv6 from the IPv6 one; a family without one is not used."""
    four = Seen(t)
    try:
        Seen(t, host="::1", port=four.port)
    except OSError:
        raise Skip("no IPv6 here") from None
    server = dns(t, {"both.test": [("A", "127.0.0.1", 60), ("AAAA", "::1", 60)], "six.test": [("AAAA", "::1", 60)]})
    larder = proxy(t, server, block="outgoing 127.0.0.5;", workers=1)
    for _ in range(3):
        same(get(larder, f"http://both.test:{four.port}/").body, b"127.0.0.5")
    response = get(larder, f"http://six.test:{four.port}/")
    same(response.status, 502)
    assert "error=proxy_configuration_error" in response.get("Proxy-Status"), response.raw_head
    larder.write_config(sites=f"forward office {{ {ACL} outgoing 127.0.0.5 ::1; }}")
    larder.command("reload", check=0)
    same(get(larder, f"http://six.test:{four.port}/").body, b"::1")


def test_an_address_we_do_not_have(t):
    """A warning when it is checked; a clear 502 and a log line when it is used."""
    origin = Seen(t)
    larder = proxy(t, block="outgoing 198.51.100.77;")
    told = larder.cli("check", larder.config_path)
    assert told.returncode == 0 and "does not have the address 198.51.100.77" in told.stdout + told.stderr, told
    response = get(larder, f"http://127.0.0.1:{origin.port}/")
    same(response.status, 502)
    assert b"outgoing address" in response.body and "error=proxy_configuration_error" in response.get("Proxy-Status")
    wait_for(lambda: "outgoing_refused address=198.51.100.77" in larder.output(), 10, "the log")
    same(origin.connections, 0)
    wait_for(lambda: larder.access_records(), 5, "the log")
    same(larder.access_records()[0]["error"], "outgoing")


def test_what_is_no_address(t):
    larder = proxy(t, start=False)
    for words, told in (("here", "is not an address"), ("0.0.0.0", "no address that a connection can come from"),
                        ("224.0.0.1", "no address that a connection can come from"), ("127.0.0.5 127.0.0.6", "is the second one of its kind"),
                        ("10.0.0.0/8", "is not an address"), ("::ffff:127.0.0.1", "no address that a connection can come from")):
        larder.write_config(sites=f"forward office {{ outgoing {words}; }}")
        done = larder.cli("check", larder.config_path)
        assert done.returncode != 0 and told in done.stdout + done.stderr, (words, done)


def test_never_to_ourselves(t):
    """Whatever the rules say, no request is sent to a port of ours on this machine: by any name, address or spelling."""
    server = dns(t, {"me.test": [("A", "127.0.0.1", 60)], "mapped.test": [("AAAA", "::ffff:127.0.0.1", 60)]})
    larder = proxy(t, server)
    for host in ("127.0.0.1", "0.0.0.0", "me.test", "mapped.test", "localhost", "[::ffff:7f00:1]", "[::ffff:0:0]"):
        for port in (larder.port, larder.admin_port):
            same(get(larder, f"http://{host}:{port}/readyz").status, 403, f"{host}:{port}")
    same(larder.admin("/healthz").status, 200)


def test_a_loop_through_another(t):
    """Two proxies that send to each other: Via ends it."""
    first, second = proxy(t), proxy(t)
    origin = at(t, "127.0.0.1", "end")
    same(get(first, f"http://127.0.0.1:{second.port}/x").status, 400)  # not in absolute form there
    same(get(first, f"http://127.0.0.1:{origin.port}/x").body, b"end")


def test_upgrade(t):
    """A websocket through absolute-form works when the forward proxy says so."""
    def switch(conn, request):
        assert request.get("Upgrade", "").lower() == "websocket", request.raw_head
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        conn.send(b"got:" + conn.read_some(4))
        conn.close()
    origin = t.origin({"/ws": switch}, default=reply("plain"))
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60)]})
    larder = proxy(t, server, block="upgrade on; outgoing 127.0.0.5;")
    with larder.client() as client:
        client.send((f"GET http://app.test:{origin.port}/ws HTTP/1.1\r\nHost: app.test:{origin.port}\r\nConnection: Upgrade\r\n"
                     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
        data = b""
        while b"hello" not in data:
            data += client.socket.recv(4096)
        assert data.startswith(b"HTTP/1.1 101"), data
        client.send(b"ping")
        while b"got:ping" not in data:
            piece = client.socket.recv(4096)
            assert piece, data
            data += piece


def test_host_is_the_targets(t):
    """The server gets the authority of the target, not the client's Host (RFC 9112 3.2.2); the default port is dropped."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60)]})
    larder = proxy(t, server)
    same(larder.fetch(f"http://app.test:{origin.port}/x", host="evil.test").body, b"one")
    same(origin.requests[-1].get("Host"), f"app.test:{origin.port}")
    same(origin.requests[-1].target, "/x")
    try:
        at(t, "127.0.0.7", "eighty", port=80)
    except OSError:
        return  # not ours to listen on
    server.names["eighty.test"] = [("A", "127.0.0.7", 60)]
    same(get(larder, "http://eighty.test:80/y?q=1").body, b"eighty")
    request = t.origins[-1].requests[-1]
    same((request.get("Host"), request.target), ("eighty.test", "/y?q=1"))


def test_retry_settings(t):
    """What was asked is asked again as `retry` says, of the next address."""
    def drop(conn, _request):
        conn.close()
    first = at(t, "127.0.0.1", "one")
    first.default = drop
    second = at(t, "127.0.0.2", "two", port=first.port)
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60), ("A", "127.0.0.2", 60)]})
    url = f"http://app.test:{first.port}/"
    larder = proxy(t, server)
    same(get(larder, url).status, 502)  # it may have been acted on
    same(second.requests, [])
    larder.write_config(sites=f"forward office {{ {ACL} origins {{ retry 1 on=reset,503; }} }}")
    larder.command("reload", check=0)
    same(get(larder, url).body, b"two")
    same(get(larder, url, method="POST", body=b"x").status, 502)
    first.default = reply("busy", 503)
    same(get(larder, url).body, b"two")
    same(get(larder, url, method="POST", body=b"x").status, 503)
    second.default = reply("busy too", 503)
    response = get(larder, url)
    same((response.status, response.body), (503, b"busy too"))
    threads = [threading.Thread(target=get, args=(larder, url)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
