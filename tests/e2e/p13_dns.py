"""Names of origins: looked up in the background, again when their time is over, several addresses, and DNS that fails."""
import threading
import time

from case import Origin, reply, same, slow, wait_for
from dns import AAAA, SERVFAIL, NameServer


def dns(t, names):
    server = NameServer(names)
    t.undo.append(server.stop)
    return server


def at(t, host, name, port=0):
    """An origin on a loopback address of its own, that says its name."""
    origin = Origin(default=reply(name, cache="no-store"), host=host, port=port)
    t.origins.append(origin)
    return origin


def larder_for(t, server, port, settings="", name="app.test", **options):
    return t.larder(sites=f"site * {{ origins {{ server app http://{name}:{port}; {settings} }} cache {{ off; }} }}",
                    extra=f"resolver 127.0.0.1:{server.port};", **options)


def bodies(larder, count=8):
    return [larder.fetch(f"/{number}").body.decode() for number in range(count)]


def says(larder, text, limit_s=10):
    wait_for(lambda: text in larder.output(), limit_s, text)


def test_time_to_live(t):
    """A name that moves is followed within its time to live, and the Host stays what the client sent."""
    first = at(t, "127.0.0.1", "one")
    second = at(t, "127.0.0.2", "two", port=first.port)
    server = dns(t, {"app.test": [("A", "127.0.0.1", 1)]})
    larder = larder_for(t, server, first.port)
    same(set(bodies(larder)), {"one"})
    same(first.requests[0].get("Host"), "site.test")
    server.names["app.test"] = [("A", "127.0.0.2", 600)]
    wait_for(lambda: larder.fetch("/x").body == b"two", 5, "the new address")
    same(set(bodies(larder)), {"two"})
    says(larder, 'addresses="127.0.0.2"')
    count = server.asked("app.test")
    time.sleep(2.5)
    same(server.asked("app.test"), count, "asked again within 600 s")
    assert len(second.requests) > 0


def test_resolve_every(t):
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 86400)]})
    larder_for(t, server, origin.port, "resolve every=300ms;")
    wait_for(lambda: server.asked("app.test") >= 4, 5, "questions")
    same(len(origin.requests), 0)


def test_alias_and_both_families(t):
    """CNAME is followed; an IPv4 and an IPv6 address are both used."""
    first = at(t, "127.0.0.1", "four")
    try:
        at(t, "::1", "six", port=first.port)
    except OSError:
        from case import Skip
        raise Skip("no IPv6 here") from None
    server = dns(t, {"www.test": [("CNAME", "app.test", 60)], "app.test": [("A", "127.0.0.1", 60), ("AAAA", "::1", 60)]})
    larder = larder_for(t, server, first.port, name="www.test")
    same(set(bodies(larder)), {"four", "six"})


def test_one_of_several_is_dead(t):
    """Connections go on to the one that lives; the other is used again once it takes connections."""
    first = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60), ("A", "127.0.0.3", 60)]})
    larder = larder_for(t, server, first.port)
    bodies(larder, 4)  # finds out
    same(set(bodies(larder, 12)), {"one"})
    at(t, "127.0.0.3", "three", port=first.port)
    wait_for(lambda: larder.fetch("/x").body == b"three", 8, "the other address")
    same(set(bodies(larder)), {"one", "three"})


def test_failing_dns_changes_nothing(t):
    """The last good answer stays while DNS fails or is silent; a name that is gone is believed after a while."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 1)]})
    larder = larder_for(t, server, origin.port, "resolve every=300ms;", timeouts="connect=1s")
    same(set(bodies(larder)), {"one"})
    server.names["app.test"] = SERVFAIL
    says(larder, "origin_dns")
    since = time.monotonic()
    while time.monotonic() - since < 2:
        same(larder.fetch("/x").body, b"one")
    assert 'keeping="127.0.0.1"' in larder.output(), larder.output()
    del server.names["app.test"]  # NXDOMAIN
    says(larder, 'server=app from=up to=down reason="no address: there is no such name')
    response = larder.fetch("/x")
    same(response.status, 503)
    assert "dns_error" in response.get("Proxy-Status", ""), response.raw_head
    server.names["app.test"] = [("A", "127.0.0.1", 1)]
    wait_for(lambda: larder.fetch("/x").body == b"one", 5, "the name again")


@slow(90)
def test_silent_dns_stalls_nobody(t):
    """While DNS says nothing for 8 s, other sites are answered as ever, the waiting client gets its error after the connect
    time-out, and the first answer is used."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60)]})
    server.silent = True
    larder = t.larder(workers=1, extra=f"resolver 127.0.0.1:{server.port};", sites=f"""
        site named.test {{ origins {{ server a http://app.test:{origin.port}; timeout connect=8s;
            queue timeout=1m; }} }}
        site * {{ origins {{ server b http://127.0.0.1:{origin.port}; }} cache {{ off; }} }}""")
    waited = []

    def wait():
        since = time.monotonic()
        waited.append((larder.fetch("/w", host="named.test", timeout=60).status, time.monotonic() - since))
    thread = threading.Thread(target=wait)
    thread.start()
    answered = 0
    while not waited:
        same(larder.fetch("/x").status, 200)
        answered += not waited
        time.sleep(0.01)
    thread.join()
    assert answered > 3, answered  # of one worker, while that one waited
    status, took = waited[0]
    same(status, 503)
    assert took < 60, took
    with larder.client() as known, larder.client() as other:  # it waits no more, let alone as long
        known.request("/y", host="named.test")
        same(known.read_response().status, 503)
        other.request("/x")
        same(other.read_response().status, 200)
    record = wait_for(lambda: [one for one in larder.access_records() if one["path"] == "/y"], 10, "the access log")[0]
    assert record["total_s"] < 6, record
    server.silent = False
    wait_for(lambda: larder.fetch("/z", host="named.test").status == 200, 30, "the first answer")


def test_first_claims_wait_for_the_first_answer(t):
    """A client that comes before DNS has answered is served when it has."""
    origin = at(t, "127.0.0.1", "one")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60)]})
    server.silent = True
    larder = larder_for(t, server, origin.port, "timeout connect=1m;")
    got = []
    thread = threading.Thread(target=lambda: got.append(larder.fetch("/w").body))
    thread.start()
    time.sleep(0.3)
    same(got, [])
    server.silent = False  # the question is asked again after a second
    thread.join()
    same(got, [b"one"])


def test_a_removed_address_ends_in_peace(t):
    """What is under way with an address that leaves DNS is finished."""
    parts = threading.Event()

    def long(conn, _request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nCache-Control: no-store\r\n\r\n12345")
        parts.wait(60)
        conn.send(b"67890")
    first = at(t, "127.0.0.1", "one")
    first.routes["/long"] = long
    at(t, "127.0.0.2", "two", port=first.port)
    server = dns(t, {"app.test": [("A", "127.0.0.1", 1)]})
    larder = larder_for(t, server, first.port)
    got = []
    thread = threading.Thread(target=lambda: got.append(larder.fetch("/long").body))
    thread.start()
    wait_for(lambda: first.requests, 10, "the request")
    server.names["app.test"] = [("A", "127.0.0.2", 1)]
    wait_for(lambda: larder.fetch("/x").body == b"two", 5, "the new address")
    parts.set()
    thread.join()
    same(got, [b"1234567890"])


def test_hosts_file(t):
    """localhost needs no name server."""
    origin = t.origin(default=reply("local"))
    server = dns(t, {})
    larder = larder_for(t, server, origin.port, name="localhost")
    wait_for(lambda: larder.fetch("/").body == b"local", 5, "localhost")
    same(server.questions, [])


@slow(90)
def test_reloads_do_not_break_lookups_off(t):
    """A name server slower than the reloads come is heard out; one that is named anew is asked at once."""
    first, second = at(t, "127.0.0.1", "one"), None
    server = dns(t, {"app.test": [("A", "127.0.0.1", 1)]})
    plain = server.answer
    server.answer = lambda data: (time.sleep(0.2), plain(data))[1]
    larder = larder_for(t, server, first.port, "timeout connect=30s;", start=False)
    larder.start()
    stop = threading.Event()

    def reload():
        while not stop.wait(0.1):
            larder.signal(1)
    thread = threading.Thread(target=reload)
    thread.start()
    try:
        same(set(bodies(larder, 4)), {"one"})
        second = at(t, "127.0.0.2", "two", port=first.port)
        server.names["app.test"] = [("A", "127.0.0.2", 600)]
        wait_for(lambda: larder.fetch("/x").body == b"two", 20, "the new address")
    finally:
        stop.set()
        thread.join()
    other = dns(t, {"app.test": [("A", "127.0.0.1", 600)]})
    server.silent = True
    larder.write_config(extra=f"resolver 127.0.0.1:{other.port};")
    larder.command("reload", check=0)
    wait_for(lambda: larder.fetch("/y").body == b"one", 20, "the other name server's answer, long before 600 s are over")


def test_one_family_silent(t):
    """A name server that never answers for AAAA: what it says for A will do, before c-ares gives up (7 s) and before those
    who wait do (here 5 s)."""
    origin = at(t, "127.0.0.1", "four")
    server = dns(t, {"app.test": [("A", "127.0.0.1", 300)]})
    server.silences = {("app.test", AAAA): 1000}
    larder = larder_for(t, server, origin.port, settings="timeout connect=5s;")
    same(larder.fetch("/").body, b"four")
