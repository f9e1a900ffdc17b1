"""Parents of a forward proxy: what they are asked, who we are to them, which one, and what else when none can be asked."""
import base64
import os
import threading
import time

from case import content, free_port, reply, same, sequence, settle, slow, wait_for

NAMES = "acl { allow names port 1-65535; }"  # no rule asks for addresses: nobody looks up names
LOCAL = "acl { allow here to loopback port 1-65535; }"  # for targets of this machine


def forward(rest, name="office", pools="", acl=NAMES):
    return f"{pools}\nforward {name} {{ {acl} {rest} }}"


def pool(*servers, settings="", name="parents", timeout="connect=5s first_byte=20s idle=20s"):
    """A pool of these parents (Origins, Larders or ports), named p0, p1, ..."""
    lines = "\n".join(f"server p{i} http://127.0.0.1:{getattr(server, 'port', server)};" for i, server in enumerate(servers))
    return f"origins {name} {{ {lines} timeout {timeout}; {settings} }}"


def proxy(t, rest, pools="", acl=NAMES, **words):
    """A Larder that is nothing but a forward proxy."""
    return t.larder(sites=forward(rest, pools=pools, acl=acl), listen="forward office;", **words)


def url(larder, target="http://site.test/a", method="GET", **words):
    host = target.split("/")[2]
    return larder.fetch(target, method, host=host, **words)


def secret(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


def last_record(larder, count=1):
    wait_for(lambda: len(larder.access_records()) >= count, 5, "the access log")
    return larder.access_records()[-1]


# ---- what they are asked

def test_the_parent_is_asked_in_absolute_form(t):
    parent = t.origin(default=reply("from the parent"))
    larder = proxy(t, "upstream parents;", pool(parent))
    response = url(larder, "http://site.test/a?b=%20c")
    same((response.status, response.body), (200, b"from the parent"))
    request = parent.last()
    assert request.raw_head.startswith(b"GET http://site.test/a?b=%20c HTTP/1.1\r\nHost: site.test\r\n"), request.raw_head
    same(request.all("Host"), ["site.test"])
    url(larder, "http://site.test:8080/")
    same(parent.last().line, "GET http://site.test:8080/ HTTP/1.1")
    same(parent.last().get("Host"), "site.test:8080")
    url(larder, "http://SITE.test:80/x")
    same(parent.last().line, "GET http://site.test/x HTTP/1.1", "the scheme's own port is not written")
    same(last_record(larder, 3)["origin"], "parents/p0")
    larder = proxy(t, "upstream parents;", pool(parent), acl=LOCAL)
    url(larder, "http://[::1]:8080/x")
    same(parent.last().line, "GET http://[::1]:8080/x HTTP/1.1")


def test_addresses_are_judged(t):
    """Those a client wrote always; those of names where a rule asks for addresses."""
    parent = t.origin(default=reply("from the parent"))
    larder = proxy(t, "upstream parents;", pool(parent))
    for target in ("http://127.0.0.1/", "http://[::1]/", "http://0x7f.1/", "http://10.0.0.1/"):
        response = url(larder, target)
        assert response.status in (400, 403), (target, response)
    same(parent.count(), 0)
    same(url(larder, "http://localhost/").status, 200, "what a name means is the parent's to say")
    larder = proxy(t, "upstream parents;", pool(parent), acl="acl { allow outside to public port 1-65535; }")
    same(url(larder, "http://localhost/").status, 403)
    same(url(larder, "http://192.0.2.1/").status in (200, 403), True)
    same(parent.count("http://localhost/"), 1)


def test_every_method_and_body_goes_there(t):
    parent = t.origin(default=reply(lambda request: request.body))
    larder = proxy(t, "upstream parents;", pool(parent))
    same(url(larder, "http://site.test/p", "POST", body=b"abc" * 1000).body, b"abc" * 1000)
    same(parent.last().line, "POST http://site.test/p HTTP/1.1")
    url(larder, "http://site.test", "OPTIONS")
    same(parent.last().line, "OPTIONS http://site.test HTTP/1.1", "RFC 9112 3.2.4")
    url(larder, "http://site.test/", "OPTIONS")
    same(parent.last().line, "OPTIONS http://site.test/ HTTP/1.1")
    url(larder, "http://site.test/p", "HEAD")
    same(parent.last().line, "HEAD http://site.test/p HTTP/1.1")


def test_a_url_is_a_parent_too(t):
    parent = t.origin(default=reply("yes"))
    larder = proxy(t, f"upstream http://127.0.0.1:{parent.port}/;")
    same(url(larder).body, b"yes")
    name = f"parent:127.0.0.1:{parent.port}"
    same(last_record(larder)["origin"], f"{name}/proxy")
    _, pools = larder.api("/api/v1/origins")
    same([entry["name"] for entry in pools["pools"]], [name])
    same(pools["pools"][0]["sites"], ["forward:office"])


def test_its_answers_are_cached_validated_and_sent_stale(t):
    """As of any origin: hit, 304, ranges, stale-if-error."""
    body = content("/a", 5000)
    parent = t.origin({"http://site.test/a": reply(body, cache="max-age=600", etag='"1"'),
                       "http://site.test/old": reply(body, cache="max-age=0, stale-if-error=600", etag='"1"')})
    larder = proxy(t, "upstream parents;", pool(parent))
    same(url(larder).body, body)
    assert url(larder).is_hit
    part = url(larder, headers=[("Range", "bytes=10-19")])
    same((part.status, part.body), (206, body[10:20]))
    same(parent.count(), 1)
    for _ in range(2):
        same(url(larder, "http://site.test/old").body, body)
    same(parent.last().get("If-None-Match"), '"1"')
    same(parent.count(), 3)
    parent.shut()
    response = url(larder, "http://site.test/old")
    same((response.status, response.body), (200, body))
    assert "stale_if_error" in response.cache_status, response


# ---- who we are

def test_our_credentials_and_never_the_clients(t):
    parent = t.origin(default=reply("ok"))
    larder = proxy(t, 'upstream parents user=office password="p w";', pool(parent))
    url(larder, headers=[("Proxy-Authorization", secret("client:own"))])
    same(parent.last().all("Proxy-Authorization"), [secret("office:p w")])
    plain = proxy(t, "upstream parents;", pool(parent))
    url(plain, headers=[("Proxy-Authorization", secret("client:own"))])
    same(parent.last().all("Proxy-Authorization"), [])
    path = os.path.join(t.folder, "secret")
    with open(path, "w", encoding="utf-8") as out:
        out.write("file:s3:cret\r\nnot this\n")
    os.chmod(path, 0o600)
    third = proxy(t, f"upstream parents credentials={path};", pool(parent))
    url(third)
    same(parent.last().all("Proxy-Authorization"), [secret("file:s3:cret")])
    shown = larder.cli("config", "show", "-c", larder.config_path, check=0).stdout
    assert "password=***" in shown and "p w" not in shown, shown
    for one in (larder, third):
        for text in (one.output(), open(one.access_path, encoding="utf-8").read()):
            assert "p w" not in text and "cret" not in text and secret("office:p w")[6:] not in text, text


def test_no_credentials_without_a_parent(t):
    """What is asked by ourselves is not told who we are to the parents."""
    origin = t.origin(default=reply("direct"))
    larder = proxy(t, "upstream parents user=a password=b else=direct;", pool(free_port()), acl=LOCAL)
    same(url(larder, f"http://127.0.0.1:{origin.port}/a").body, b"direct")
    same(origin.last().line, "GET /a HTTP/1.1")
    same(origin.last().all("Proxy-Authorization"), [])


def test_a_407_of_the_parent_is_our_own_fault(t):
    parent = t.origin(default=reply("who?", 407, headers=[("Proxy-Authenticate", 'Basic realm="parent"')]))
    larder = proxy(t, "upstream parents user=a password=wrong;", pool(parent))
    response = url(larder)
    same(response.status, 502)
    same(response.all("Proxy-Authenticate"), [])
    assert "configuration_error" in response.get("Proxy-Status", ""), response.headers
    assert b"who?" not in response.body
    wait_for(lambda: "parent_refuses_login" in larder.output(), 5, "the log")
    assert "wrong" not in larder.output()
    same(last_record(larder)["status"], 502)


# ---- which one

def test_one_url_one_parent(t):
    parents = [t.origin(default=reply(f"{i}")) for i in range(3)]
    larder = proxy(t, "upstream parents;", pool(*parents, settings="balance hash url;"))
    other = t.larder(sites=forward("upstream parents;", name="other",
                                   pools=pool(*parents, settings="balance hash url;")), listen="forward other;")
    seen = {}
    for i in range(30):
        target = f"http://s{i}.test/x"
        seen[target] = url(larder, target).body
    assert len(set(seen.values())) == 3, seen
    for target, body in seen.items():
        same(url(larder, target).body, body)
        same(url(other, target).body, body, "another Larder, which calls its proxy otherwise, asks the same parent")


def test_another_parent_when_one_is_away(t):
    parent = t.origin(default=reply("up"))
    larder = proxy(t, "upstream parents;", pool(free_port(), parent))
    for i in range(6):
        same(url(larder, f"http://site.test/{i}").body, b"up")
    cut = t.origin(default=lambda conn, _request: conn.reset())
    larder = proxy(t, "upstream parents;", pool(cut, parent))
    for i in range(6):
        same(url(larder, f"http://site.test/{i}").body, b"up")
    assert cut.count() > 0


def test_what_servers_answer_takes_no_parent_out(t):
    """A dead site behind a parent is not a dead parent."""
    parents = [t.origin({"http://dead.test/": reply("no", 502)}, default=reply("ok")) for _ in range(2)]
    larder = proxy(t, "upstream parents;", pool(*parents, settings="eject fails=2 on=502,503,connect;"))
    for _ in range(12):
        same(url(larder, "http://dead.test/").status, 502)
    _, pools = larder.api("/api/v1/origins")
    same([server["state"] for server in pools["pools"][0]["servers"]], ["up", "up"])
    for i in range(4):
        same(url(larder, f"http://site.test/{i}").status, 200)


@slow(90)
def test_a_parent_killed_under_load_loses_no_get(t):
    origin = t.origin(default=reply(lambda request: content(request.path, 2000), cache="max-age=60"))
    parents = [proxy(t, f"via p{number};", workers=1, disk=False, acl=LOCAL) for number in range(2)]
    larder = proxy(t, "via child; upstream parents;", pool(*parents), acl=LOCAL)
    bad, cut, done = [], [], threading.Event()
    counts = [0] * 4

    def ask(number):
        while not done.is_set():
            path = f"/{number}/{counts[number]}"
            try:
                response = url(larder, f"http://127.0.0.1:{origin.port}{path}")
                if not response.complete and response.status == 200:
                    cut.append(path)  # its head had gone out when the parent went: nothing can be asked twice then
                elif (response.status, response.body) != (200, content(path, 2000)):
                    bad.append((path, response))
            except (AssertionError, OSError) as error:
                bad.append((path, error))
            counts[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: min(counts) > 20, 20, "some requests")
    before = min(counts)
    parents[0].kill()
    wait_for(lambda: min(counts) > before + 50, 30, "requests after the end of a parent")
    parents[0].start()
    settle(1)
    done.set()
    for thread in threads:
        thread.join()
    same(bad, [], f"of {sum(counts)} requests")
    assert len(cut) <= len(threads), cut


# ---- none

def test_none_else_fail(t):
    origin = t.origin(default=reply("direct"))
    target = f"http://127.0.0.1:{origin.port}/a"
    larder = proxy(t, "upstream parents;", pool(free_port(), settings="check tcp every=200ms fall=1;"), acl=LOCAL)
    wait_for(lambda: larder.api("/api/v1/origins")[1]["pools"][0]["servers"][0]["state"] == "down", 5, "the check")
    response = url(larder, target)
    same(response.status, 503)
    assert response.get("Retry-After") and "destination_unavailable" in response.get("Proxy-Status"), response.headers
    assert b"parent proxy" in response.body, response.body
    record = last_record(larder)
    same((record["status"], record["reason"]), (503, "origin_down"))
    unchecked = proxy(t, "upstream parents;", pool(free_port()), acl=LOCAL)
    response = url(unchecked, target)
    same(response.status, 502)
    assert "connection_refused" in response.get("Proxy-Status") and b"parent proxy refuses" in response.body, response.body
    same(origin.count(), 0, "nobody went around the parents")


def test_none_else_direct(t):
    origin = t.origin(default=reply("direct", cache="max-age=60"))
    target = f"http://127.0.0.1:{origin.port}"
    down = proxy(t, "upstream parents else=direct;", pool(free_port(), settings="check tcp every=200ms fall=1;"), acl=LOCAL)
    wait_for(lambda: down.api("/api/v1/origins")[1]["pools"][0]["servers"][0]["state"] == "down", 5, "the check")
    same(url(down, target + "/a").body, b"direct")
    assert url(down, target + "/a").is_hit
    refused = proxy(t, "upstream parents else=direct;", pool(free_port()), acl=LOCAL)
    same(url(refused, target + "/b").body, b"direct")
    same(url(refused, target + "/b", "POST", body=b"x").body, b"direct", "nothing of it had been sent")
    wait_for(lambda: "parents_bypassed" in refused.output(), 5, "the log")
    cut = t.origin(default=lambda conn, _request: conn.reset())
    reset = proxy(t, "upstream parents else=direct;", pool(cut), acl=LOCAL)
    same(url(reset, target + "/c").body, b"direct", "a GET may go twice")
    response = url(reset, target + "/c", "POST", body=b"x")
    same(response.status, 502, "a POST may have arrived")
    same([request.method for request in origin.requests], ["GET", "GET", "POST", "GET"])


def test_else_direct_is_not_for_answers(t):
    """A parent that answers was asked, whatever it says."""
    origin = t.origin(default=reply("direct"))
    parent = t.origin(default=reply("busy", 503))
    larder = proxy(t, "upstream parents else=direct;", pool(parent), acl=LOCAL)
    response = url(larder, f"http://127.0.0.1:{origin.port}/a")
    same((response.status, response.body), (503, b"busy"))
    denied = t.origin(default=reply("who", 407))
    larder = proxy(t, "upstream parents else=direct;", pool(denied), acl=LOCAL)
    same(url(larder, f"http://127.0.0.1:{origin.port}/a").status, 502)
    same(origin.count(), 0)


# ---- by rules

def test_by_destination(t):
    far, near = t.origin(default=reply("far")), t.origin(default=reply("near"))
    origin = t.origin(default=reply("direct"))
    larder = proxy(t, """
        upstream near;
        rule host *.far.test exact.test { upstream far; }
        rule host no.far.test { upstream near; }
        rule host *.far.test path /x* { upstream near; }
        """, pool(far, name="far") + pool(near, name="near"))
    for target, wanted in (("http://a.far.test/", b"far"), ("http://A.b.FAR.test:8080/", b"far"), ("http://a.far.test./", b"far"),
                           ("http://far.test/", b"near"), ("http://xfar.test/", b"near"), ("http://exact.test/", b"far"),
                           ("http://a.exact.test/", b"near"), ("http://no.far.test/", b"near"), ("http://a.far.test/x1", b"near")):
        same(url(larder, target).body, wanted, target)
    larder = proxy(t, "upstream near; rule host 127.0.0.1 { upstream direct; }", pool(near, name="near"), acl=LOCAL)
    same(url(larder, f"http://127.0.0.1:{origin.port}/").body, b"direct")
    same(url(larder, f"http://127.0.0.2:{origin.port}/").body, b"near")


def test_host_conditions_of_a_site(t):
    """Useful where one site has many names."""
    origin = t.origin(default=reply("x", cache="max-age=60"))
    larder = t.larder(sites=f"""site * {{ origins {{ server a http://127.0.0.1:{origin.port}; }}
        rule host *.shop.test {{ respond 200 "shop"; }}
        rule host plain.test {{ ignore_query *; }} }}""")
    same(larder.fetch("/", host="a.shop.test").body, b"shop")
    same(larder.fetch("/", host="a.shop.test:8080").body, b"shop")
    same(larder.fetch("/", host="shop.test").body, b"x")
    larder.fetch("/q?1", host="plain.test")
    assert larder.fetch("/q?2", host="plain.test").is_hit
    larder.fetch("/q?1", host="other.test")
    assert not larder.fetch("/q?2", host="other.test").is_hit


def test_a_reload_switches_parents(t):
    one, two = t.origin(default=reply("one")), t.origin(default=reply("two"))
    larder = proxy(t, f"upstream http://127.0.0.1:{one.port};")
    same(url(larder).body, b"one")
    for rest, pools, wanted in (("upstream parents;", pool(two), b"two"),
                                ("upstream parents user=a password=b;", pool(one), b"one"),
                                (f"upstream http://127.0.0.1:{two.port};", "", b"two")):
        larder.write_config(sites=forward(rest, pools=pools))
        same(larder.command("reload").returncode, 0)
        same(url(larder).body, wanted)
    same(len(larder.api("/api/v1/origins")[1]["pools"]), 1, "the others are gone")


# ---- hierarchies of Larders

def chain(t, **words):
    """(child, parent): a Larder behind a Larder."""
    parent = t.larder(sites=forward("identity forward; via parent;", acl=LOCAL), listen="forward office;")
    child = t.larder(sites=forward("identity forward; via child; upstream parents;", pools=pool(parent), acl=LOCAL), listen="forward office;", **words)
    return child, parent


def test_both_levels_cache_and_say_so(t):
    origin = t.origin({"/a": reply("one", cache="max-age=100")})
    child, parent = chain(t)
    target = f"http://127.0.0.1:{origin.port}/a"
    began = time.monotonic()
    first = url(child, target)
    same((first.status, first.body), (200, b"one"))
    via = [member.strip() for member in origin.last().get("Via").split(",")]
    same(via, ["1.1 child", "1.1 parent"])
    settle(2)
    hit = url(child, target)
    assert hit.is_hit and 2 <= hit.age <= time.monotonic() - began + 2, hit.headers
    left = int(hit.cache_status.split("ttl=")[-1].split(",")[0].split(";")[0])
    assert 99 <= left + hit.age <= 100, (hit.cache_status, hit.age)
    other = t.larder(sites=forward("via third; upstream parents;", pools=pool(parent), acl=LOCAL), listen="forward office;")
    second = url(other, target)
    same(second.body, b"one")
    assert second.age >= hit.age, "the age at the parent counts"
    assert "parent; hit" in second.cache_status and "third; fwd=uri-miss" in second.cache_status, second.cache_status
    same(origin.count(), 1, "the parent answered from its cache")
    left = int(second.cache_status.split("third")[-1].split("ttl=")[1].split(";")[0])
    assert left <= 98, second.cache_status


def test_a_parent_that_is_ourselves_is_a_loop(t):
    for settings in ("", "via own;", "identity hide;", "identity transparent;"):
        larder = t.larder(start=False, listen="forward office;")
        larder.write_config(sites=forward(settings + "upstream parents;", pools=pool(larder)))
        larder.start()
        response = url(larder, "http://site.test/a")
        same(response.status, 508, settings)
        settle(0.3)
        assert len(larder.access_lines()) <= 3, (settings, larder.access_lines())


def test_two_that_point_at_each_other_end(t):
    for settings in ("", "identity hide;"):
        one = t.larder(start=False, listen="forward office;")
        two = t.larder(sites=forward(settings + "upstream parents;", pools=pool(one)), listen="forward office;")
        one.write_config(sites=forward(settings + "upstream parents;", pools=pool(two)))
        one.start()
        response = url(one, "http://site.test/a")
        same(response.status, 508, settings)
        settle(0.3)
        assert len(one.access_lines()) + len(two.access_lines()) <= 5, settings


def test_a_chain_that_hides_its_clients(t):
    """The hops are told from Larder to Larder, and no server ever hears of them."""
    origin = t.origin(default=reply("x"))
    parent = t.larder(sites=forward("identity hide;", acl=LOCAL), listen="forward office;")
    child = t.larder(sites=forward("identity hide; upstream parents;", pools=pool(parent), acl=LOCAL), listen="forward office;")
    same(url(child, f"http://127.0.0.1:{origin.port}/a").body, b"x")
    seen = origin.last().raw_head.lower()
    for word in (b"via", b"hops", b"proxy-", b"forwarded", b"larder"):
        assert word not in seen, seen
    scripted = t.origin(default=reply("x"))
    child = t.larder(sites=forward("identity hide; upstream parents;", pools=pool(scripted)), listen="forward office;")
    url(child)
    same(scripted.last().get("Connection"), "Larder-Hops")
    same(scripted.last().all("Via"), [])


def test_https_urls_do_not_go_by_parents(t):
    """Nor around them: the client is told to ask for a tunnel."""
    parent = t.origin(default=reply("x"))
    larder = proxy(t, "fetch_https on; upstream parents else=direct;", pool(parent))
    response = url(larder, "https://site.test/a")
    same(response.status, 501)
    assert b"CONNECT" in response.body and "proxy_configuration_error" in response.get("Proxy-Status"), response.headers
    same(parent.count(), 0)
    told = larder.command("access", "test", "127.0.0.1", "https://site.test/a", "--method", "GET").stdout
    assert "501" in [line for line in told.splitlines() if line.startswith("way ")][0], told
