"""Names of servers that a forward proxy's clients ask for: looked up once for all, kept as long as they say, several addresses,
and DNS that fails."""
import os
import socket
import threading
import time

from case import Origin, reply, same, slow, wait_for
from dns import AAAA, SERVFAIL, A, NameServer

# What these tests connect to is on loopback.
ACL = "acl { allow tests to loopback private public port 1-65535; }"


def dns(t, names):
    server = NameServer(names)
    t.undo.append(server.stop)
    return server


def at(t, host, name, port=0, **words):
    """An origin on a loopback address of its own, that says its name."""
    origin = Origin(default=reply(name, cache="no-store", **words), host=host, port=port)
    t.origins.append(origin)
    return origin


def proxy(t, server=None, origins="timeout connect=2s first_byte=5s idle=5s;", block="", extra="", acl=ACL, **options):
    """A forward proxy that asks this name server."""
    names = f"resolver 127.0.0.1:{server.port};" if server is not None else ""
    return t.larder(listen="forward office;", sites=f"forward office {{ {acl} origins {{ {origins} }} {block} }}",
                    extra=names + extra, **options)


def get(larder, url, **words):
    """As a client that knows this proxy asks for it."""
    host = url.split("/")[2]
    return larder.fetch(url, host=host, **words)


def test_one_lookup_for_all(t):
    """Fifty clients at once cost one lookup; the server gets the name it is asked by, and the log says who was asked."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300)]})
    plain = server.answer
    server.answer = lambda data: (time.sleep(0.3), plain(data))[1]
    larder = proxy(t, server)
    got = []
    threads = [threading.Thread(target=lambda n=n: got.append(get(larder, f"http://app.test:{origin.port}/{n}").body))
               for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(set(got), {b"one"})
    same(larder.metrics()["larder_name_lookups_total"], 1)
    same({request.get("Host") for request in origin.requests}, {f"app.test:{origin.port}"})
    same(get(larder, f"http://APP.test.:{origin.port}/dot").body, b"one")
    same(larder.metrics()["larder_name_lookups_total"], 1)
    wait_for(lambda: len(larder.access_records()) == 51, 5, "the log")
    same({record["origin"] for record in larder.access_records()}, {"direct/app.test"})


def test_time_to_live(t):
    """A name that moves is followed when its time is over, and not before."""
    first = at(t, "127.0.0.1", "one")
    at(t, "127.0.0.2", "two", port=first.port)
    server = dns(t, {"app.test": [("A", "127.0.0.1", 8)]})
    larder = proxy(t, server)
    url = f"http://app.test:{first.port}/x"
    same(get(larder, url).body, b"one")
    server.names["app.test"] = [("A", "127.0.0.2", 600)]
    same(get(larder, url).body, b"one")
    time.sleep(8.1)
    same(get(larder, url).body, b"two")
    count = server.asked("app.test")
    server.names["app.test"] = [("A", "127.0.0.1", 2)]
    time.sleep(2.1)
    same(get(larder, url).body, b"two")
    same(server.asked("app.test"), count)


def test_alias(t):
    """CNAME is followed, and its time to live counts as well."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"www.test": [("CNAME", "app.test", 1)], "app.test": [("A", "127.0.0.1", 600)]})
    larder = proxy(t, server)
    same(get(larder, f"http://www.test:{origin.port}/").body, b"one")
    server.names["www.test"] = 3
    time.sleep(1.1)
    same(get(larder, f"http://www.test:{origin.port}/").status, 502)


def test_no_search_domains(t):
    """A name means what it says: what the machine would add to it is not."""
    server = dns(t, {})
    larder = proxy(t, server, start=False)
    larder.start(env={**os.environ, "LOCALDOMAIN": "corp.test"})
    same(get(larder, "http://intranet/").status, 502)
    same({name for _, name, _ in server.questions}, {"intranet"})


def test_hosts_file(t):
    """localhost needs no name server."""
    origin = at(t, "127.0.0.1", "local")
    server = dns(t, {})
    larder = proxy(t, server)
    same(get(larder, f"http://localhost:{origin.port}/").body, b"local")
    same(server.questions, [])


def test_literal_addresses(t):
    """Addresses are connected to without a question; what only some programs read as one is refused."""
    origin = at(t, "127.0.0.1", "four")
    server = dns(t, {})
    larder = proxy(t, server)
    for host in ("127.0.0.1", "127.0.0.1.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"):
        response = get(larder, f"http://{host}:{origin.port}/")
        same(response.body, b"four", host)
    for host in ("127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.01", "127.0.0.1.."):
        same(get(larder, f"http://{host}:{origin.port}/").status, 400, host)
    try:
        at(t, "::1", "six", port=origin.port)
    except OSError:
        from case import Skip
        raise Skip("no IPv6 here") from None
    same(get(larder, f"http://[::1]:{origin.port}/").body, b"six")
    same(server.questions, [])


def test_what_is_no_name(t):
    """Nobody is asked for what cannot be a name."""
    server = dns(t, {})
    larder = proxy(t, server)
    for host in ("a" * 64 + ".test", "256.1.1.1", "1.2.3.4.5", "a..test", ("a" * 50 + ".") * 5 + "test", "foo.0x1"):
        response = get(larder, f"http://{host}/")
        assert response.status in (400, 502), (host, response.status)
    same(server.questions, [])


def test_several_addresses(t):
    """Of several addresses those that take no connection are passed over, and tried last from then on."""
    origin = at(t, "127.0.0.3", "three")
    names = {"app.test": [("A", "127.0.0.1", 300), ("A", "127.0.0.2", 300), ("A", "127.0.0.3", 300)]}
    server = dns(t, names)
    larder = proxy(t, server)
    response = get(larder, f"http://app.test:{origin.port}/", method="POST", body=b"12345")
    same(response.body, b"three")
    same(origin.requests[0].body, b"12345")
    wait_for(lambda: larder.access_records(), 5, "the log")
    assert larder.access_records()[0]["tries"] <= 3, larder.access_records()
    same(get(larder, f"http://app.test:{origin.port}/").body, b"three")
    wait_for(lambda: len(larder.access_records()) == 2, 5, "the log")
    assert "tries" not in larder.access_records()[1] or larder.access_records()[1]["tries"] == 1


def test_both_families(t):
    """IPv6 that does not answer makes room for IPv4."""
    origin = at(t, "127.0.0.1", "four")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300), ("AAAA", "::1", 300)]})
    larder = proxy(t, server)
    for _ in range(3):
        same(get(larder, f"http://app.test:{origin.port}/").body, b"four")


def test_nobody_listens(t):
    """All of them refuse: 502, and the same for each that asks, not for ever."""
    origin = at(t, "127.0.0.1", "one")
    origin.shut()
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300), ("A", "127.0.0.2", 300)]})
    larder = proxy(t, server)
    response = get(larder, f"http://app.test:{origin.port}/")
    same(response.status, 502)
    assert "error=connection_refused" in response.get("Proxy-Status", ""), response.raw_head
    origin.listen()
    same(get(larder, f"http://app.test:{origin.port}/").body, b"one")


def test_no_such_name(t):
    """NXDOMAIN is 502 dns_error, remembered for a while; SERVFAIL too."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"bad.test": SERVFAIL, "empty.test": []})
    larder = proxy(t, server)
    for host in ("no.test", "bad.test", "empty.test"):
        response = get(larder, f"http://{host}:{origin.port}/")
        same(response.status, 502, host)
        assert "error=dns_error" in response.get("Proxy-Status", ""), response.raw_head
    asked = len(server.questions)
    same(get(larder, f"http://no.test:{origin.port}/").status, 502)
    same(len(server.questions), asked)
    metrics = larder.metrics()
    same({reason: metrics[f'larder_name_failures_total{{reason="{reason}"}}'] for reason in ("no_such_name", "failed", "timeout")},
         {"no_such_name": 2, "failed": 1, "timeout": 0})
    same([name for name in metrics if name.startswith("larder_dns")], [], "the same figures under another name")
    same((metrics["larder_names"], metrics["larder_name_answers_total"], metrics["larder_name_lookups_active"]), (3, 4, 0))
    records = larder.access_records
    wait_for(lambda: len(records()) == 4, 5, "the log")
    same({record["error"] for record in records()}, {"dns"})


@slow(60)
def test_silent_name_server(t):
    """A name server that says nothing: 504 dns_timeout after a bounded time; nobody else waits, and cached names go on."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 1)], "mute.test": None})
    larder = proxy(t, server, workers=1)
    same(get(larder, f"http://app.test:{origin.port}/").body, b"one")
    server.silent = True
    got = []

    def wait():
        since = time.monotonic()
        got.append((get(larder, f"http://mute.test:{origin.port}/", timeout=60), time.monotonic() - since))
    time.sleep(1.1)  # the known name's time is over
    thread = threading.Thread(target=wait)
    thread.start()
    wait_for(lambda: server.asked("mute.test"), 10, "the question")
    beside = 0
    while not got:
        same(get(larder, f"http://app.test:{origin.port}/").body, b"one")
        beside += not got
        time.sleep(0.02)
    assert beside > 5, beside  # of one worker, while that one waited
    thread.join()
    response, took = got[0]
    same(response.status, 504)
    assert "error=dns_timeout" in response.get("Proxy-Status", ""), response.raw_head
    assert took < 40, took
    asked = server.asked("mute.test")
    same(get(larder, f"http://mute.test:{origin.port}/").status, 504)
    same(server.asked("mute.test"), asked, "it is remembered")


def test_failing_dns_changes_nothing(t):
    """The last good answer serves while DNS fails; NXDOMAIN is an answer."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 1)]})
    larder = proxy(t, server)
    url = f"http://app.test:{origin.port}/"
    same(get(larder, url).body, b"one")
    server.names["app.test"] = SERVFAIL
    end = time.monotonic() + 4
    while time.monotonic() < end:
        same(get(larder, url).body, b"one")
        time.sleep(0.1)
    del server.names["app.test"]
    wait_for(lambda: get(larder, url).status == 502, 10, "the name's end")


def test_total_time_counts(t):
    """`timeout total` bounds the wait for an address as well."""
    server = dns(t, {"mute.test": None})
    for acl in (ACL, "acl { allow any all; }"):  # with rules that ask for the address before, and without
        larder = proxy(t, server, origins="timeout connect=2s first_byte=5s idle=5s total=1s;", acl=acl)
        since = time.monotonic()
        response = get(larder, "http://mute.test/")
        same(response.status, 504)
        assert time.monotonic() - since > 0.9
        assert "dns_timeout" not in response.get("Proxy-Status", ""), response.raw_head
    # addresses of one family, none of which is allowed: the wait for the other's is bounded too
    server.names["half.test"], server.silences = [("A", "127.0.0.9", 300)], {("half.test", AAAA): 1000}
    larder = proxy(t, server, origins="timeout connect=2s first_byte=5s idle=5s total=2s;", acl="acl { allow tests to 127.0.0.8 port 1-65535; }")
    since = time.monotonic()
    same(get(larder, "http://half.test/").status, 504)
    assert time.monotonic() - since > 1.9


def test_client_leaves_meanwhile(t):
    """A client that leaves while its server's name is looked up: no server is asked for it."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300)]})
    server.silent = True
    larder = proxy(t, server, workers=1)
    clients = []
    for path in ("/a", "/a", "/b?private"):  # the second one follows the first
        clients.append(larder.client())
        clients[-1].send(f"GET http://app.test:{origin.port}{path} HTTP/1.1\r\nHost: app.test:{origin.port}\r\n\r\n".encode())
        time.sleep(0.3)
    for client in clients:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # with RST
        client.close()
        time.sleep(0.2)
    stays = larder.client()
    stays.send(f"GET http://app.test:{origin.port}/c HTTP/1.1\r\nHost: app.test:{origin.port}\r\n\r\n".encode())
    time.sleep(0.1)
    server.silent = False
    same(stays.read_response().body, b"one")
    same([request.target for request in origin.requests], ["/c"])


@slow(60)
def test_reload_meanwhile(t):
    """Reloads leave a lookup under way alone; other name servers are asked at once."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300)]})
    plain = server.answer
    server.answer = lambda data: (time.sleep(0.4), plain(data))[1]
    larder = proxy(t, server)
    got = []
    thread = threading.Thread(target=lambda: got.append(get(larder, f"http://app.test:{origin.port}/").body))
    thread.start()
    for _ in range(6):
        larder.command("reload", check=0)
    thread.join()
    same(got, [b"one"])
    assert server.lookups("app.test") <= 2, server.questions
    server.silent = True
    thread = threading.Thread(target=lambda: got.append(get(larder, f"http://new.test:{origin.port}/").body))
    thread.start()
    time.sleep(0.2)
    other = dns(t, {"new.test": [("A", "127.0.0.1", 300)]})
    larder.write_config(extra=f"resolver 127.0.0.1:{other.port};")
    larder.command("reload", check=0)
    thread.join()
    same(got, [b"one", b"one"])


@slow(120)
def test_one_family_silent(t):
    """A name server that answers for one family and never for the other: who asks is served while the lookup goes on."""
    four = at(t, "127.0.0.1", "four")
    at(t, "::1", "six", port=four.port)
    server = dns(t, {"four.test": [("A", "127.0.0.1", 300)], "six.test": [("AAAA", "::1", 300)]})
    server.silences = {("four.test", AAAA): 1000, ("six.test", A): 1000}
    larder = proxy(t, server)
    for name in ("four", "six"):
        url = f"http://{name}.test:{four.port}/"
        same(get(larder, url).body, name.encode())
        same(larder.metrics()["larder_name_lookups_active"], 1)
        wait_for(lambda: larder.metrics()["larder_name_lookups_active"] == 0, 30, "the end of the lookup")
        asked = len(server.questions)
        same(get(larder, url).body, name.encode())
        same(len(server.questions), asked)


@slow(120)
def test_the_other_family_follows(t):
    """Where nobody takes connections at the addresses of one family, or the rules deny them, those of the other are waited
    for, and asked when DNS tells them."""
    six = at(t, "::1", "six")
    names = {name: [("A", address, 300), ("AAAA", "::1", 300)]
             for name, address in (("refused.test", "127.0.0.8"), ("denied.test", "127.0.0.9"))}
    server = dns(t, names)
    server.silences = {(name, AAAA): 3 for name in names}
    larder = proxy(t, server, acl="acl { allow tests to 127.0.0.8 ::1 port 1-65535; }")
    for name in names:
        same(get(larder, f"http://{name}:{six.port}/").body, b"six", name)
        assert server.silences[name, AAAA] <= 0, server.questions


def test_the_other_family_is_denied(t):
    """A parent connects to which address it likes: all must be allowed, and all are waited for."""
    parent = at(t, "127.0.0.1", "parent")
    server = dns(t, {"app.test": [("A", "127.0.0.8", 300), ("AAAA", "::1", 300)]})
    server.silences = {("app.test", AAAA): 3}
    larder = proxy(t, server, acl="acl { allow tests to 127.0.0.8 port 1-65535; }", block="upstream parents;",
                   extra=f"origins parents {{ server p http://127.0.0.1:{parent.port}; }} ")
    same(get(larder, "http://app.test:4711/").status, 403)
    same(len(parent.requests), 0)
