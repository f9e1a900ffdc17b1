"""Access rules of a forward proxy: who may ask for what, on the way out and of what comes back."""
import socket
import threading
import time

from case import raw, reply, same, slow, wait_for
from client import Client

TEXT = [("Accept", "*/*")]


def forward(t, rules, origin=None, block="", extra="", **words):
    """A Larder whose port is a forward proxy with these rules; None: without `acl`."""
    acl = f"acl {{ {rules} }}" if rules is not None else ""
    words.setdefault("workers", 2)
    return t.larder(listen="forward office;", sites=f"forward office {{ {acl} {block} }} {extra}", **words)


def get(larder, url, method="GET", headers=TEXT, source=None, **words):
    """The answer to a request for a whole URL."""
    host = url.split("/")[2]
    with Client(larder.port, source=source) as client:
        client.request(url, method, host=host, headers=headers, **words)
        return client.read_response(method)


def status(larder, url, method="GET", **words):
    return get(larder, url, method, **words).status


def connect(larder, target, headers=""):
    """The answer to CONNECT, and whether the connection is over then."""
    with Client(larder.port) as client:
        client.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{headers}\r\n")
        response = client.read_head()
        if response.status != 200:
            client.read_body(response, "CONNECT")
            assert client.is_closed(), "a refused CONNECT leaves its connection open"
        return response


def denied(larder, count):
    """The records of denied requests, once there are so many."""
    return wait_for(lambda: [r for r in larder.access_records() if r["result"] == "denied"][count - 1:] and
                    [r for r in larder.access_records() if r["result"] == "denied"], 5, "the records")


INSIDE = "to loopback port 1-65535"


def test_conditions(t):
    """Every condition of a request, holding and not."""
    origin = t.origin()
    origin.default = reply(b"page", cache="no-store")
    port = origin.port
    url = f"http://127.0.0.1:{port}"
    rows = [
        ("allow a client 127.0.0.2 {};", {"source": "127.0.0.2"}, {}, url + "/"),
        ("allow a host 127.0.0.1 {};", {}, None, url + "/"),
        ("allow a method POST {};", {"method": "POST", "body": b"x"}, {}, url + "/"),
        ("allow a path /pub/* {};", {}, {}, (url + "/pub/1", url + "/1")),
        ("allow a path /pub/* {};", {}, {}, (url + "/x/../pub/1?q", url + "/pub/../1")),
        ("allow a path /pub/* {};", {}, {}, (url + "/%70ub/1", url + "/1?/pub/")),
        ("allow a regex /[0-9]+[?]x=1$ {};", {}, {}, (url + "/12?x=1", url + "/12?x=2")),
        ("allow a scheme http {};", {}, None, url + "/"),
        (f"allow a to loopback port {port};", {}, None, url + "/"),
    ]
    for rule, good, bad, target in rows:
        larder = forward(t, rule.format(INSIDE), disk=False)
        yes, no = target if isinstance(target, tuple) else (target, target)
        same(status(larder, yes, **good), 200, rule)
        if bad is not None:
            same(status(larder, no, **bad), 403, rule)
        larder.stop()
    for rule in ("host example.org", "port 1-2", "scheme https", "to private", "client 10.0.0.0/8", "user bob", "group staff"):
        more = " ".join(word for word in ("to loopback", "port 1-65535") if word.split()[0] not in rule)
        larder = forward(t, f"allow a {rule} {more};", disk=False)
        same(status(larder, url + "/"), 403, rule)
        larder.stop()


def test_order_and_end(t):
    """The first that holds decides, for hits too; the end denies."""
    origin = t.origin()
    origin.default = reply(b"page", cache="max-age=600")
    url = f"http://127.0.0.1:{origin.port}"
    larder = forward(t, f"""
        deny  one  client 127.0.0.2 path /a*;
        allow two  client 127.0.0.0/30 path /a* /b* {INSIDE};
        deny  three path /b*;
        allow four client 127.0.0.4 {INSIDE};""")
    got = [[status(larder, url + path, source=source) for path in ("/a", "/b", "/c")]
           for source in ("127.0.0.1", "127.0.0.2", "127.0.0.4", "127.0.0.5")]
    same(got, [[200, 200, 403], [403, 200, 403], [200, 403, 200], [403, 403, 403]])
    assert get(larder, url + "/a").is_hit
    same(origin.count("/a"), 1)
    records = denied(larder, 7)
    same(sorted((r["reason"], r["status"]) for r in records), [("access_end", 403)] * 4 + [("access_rule", 403)] * 3)
    same(larder.metrics()['larder_requests_total{site="forward:office",result="denied"}'], 7)


def test_safe_without_rules(t):
    """Without `acl`: private clients, public addresses, usual ports; a minimal file has no warning."""
    origin = t.origin({"/": reply(b"page")})
    larder = forward(t, None)
    same(larder.cli("check", larder.config_path, check=0).stderr, "")
    response = get(larder, f"http://127.0.0.1:{origin.port}/")
    same((response.status, response.get("Proxy-Status")), (403, "larder; error=destination_ip_prohibited"))
    assert b"to loopback" in response.body and b"Rule: private\n" in response.body, response.body
    same(connect(larder, f"127.0.0.1:{origin.port}").status, 403)
    same(connect(larder, "192.0.2.1:25").status, 403)
    same([(r["reason"]) for r in denied(larder, 3)], ["access_private", "access_private", "access_private"])
    same(origin.count(), 0)
    shown = larder.cli("config", "show", "--defaults", "-c", larder.config_path, check=0).stdout
    assert "allow default client 127.0.0.0/8 ::1 10.0.0.0/8" in shown, shown


def test_unusual_ports(t):
    """A port that is not usual, before anything is looked up."""
    larder = forward(t, "allow a all;")
    response = get(larder, "http://nowhere.test:22/")
    assert response.status == 403 and b"add: port NUMBER" in response.body, response.body
    same(response.get("Proxy-Status"), "larder; error=http_request_denied")
    same(connect(larder, "nowhere.test:25").status, 403)
    same([r["reason"] for r in denied(larder, 2)], ["access_port"] * 2)


def test_itself(t):
    """The proxy itself is no way round its own rules: every listener, the admin port, every spelling."""
    larder = forward(t, "allow a to loopback private port 1-65535;")
    for port in (larder.port, larder.admin_port):
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "127.0.0.1."):
            response = get(larder, f"http://{host}:{port}/healthz")
            same((response.status, b"Rule: self\n" in response.body), (403, True), (host, port, response.body))
            same(connect(larder, f"{host}:{port}").status, 403, (host, port))
    larder.write_config(sites=f"forward office {{ acl {{ allow a to self port {larder.admin_port}; }} }}")
    larder.command("reload", check=0)
    same(get(larder, f"http://127.0.0.1:{larder.admin_port}/healthz").status, 200)
    same(status(larder, f"http://127.0.0.1:{larder.port}/"), 403)


def test_spellings(t):
    """What is an address to some programs and a name to others is neither here; addresses have one spelling."""
    origin = t.origin()
    origin.default = reply(b"page", cache="no-store")
    port = origin.port
    larder = forward(t, "deny loop host 127.0.0.1 ::1; allow a to loopback private port 1-65535;")
    for host in ("2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1", "127.0.1", "127.0.0.01", "127.0.0.0x1",
                 "0", "1.2.3.4.5", "127.0.0.1..", "a..b", ".a", "256.0.0.1", "0x", "01", "[::1%25lo]", "[127.0.0.1]", "a%2eb",
                 "xn--", "a" * 64 + ".test", "127.0.0.1%00"):
        answer = get(larder, f"http://{host}:{port}/")
        assert answer.status == 400 or host == "xn--", (host, answer)
        assert connect(larder, f"{host}:{port}").status == 400 or host == "xn--", host
    for host in ("127.0.0.1", "127.0.0.1.", "[::ffff:127.0.0.1]", "[::FFFF:7F00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[0::1]", "[::1]"):
        answer = get(larder, f"http://{host}:{port}/")
        same((answer.status, b"Rule: loop\n" in answer.body), (403, True), host)
        same(connect(larder, f"{host}:{port}").status, 403, host)
    same(status(larder, f"http://127.0.0.2:{port}/"), 200 if origin_is_any(origin) else 502)


def origin_is_any(origin):
    """Does it listen on every loopback address?"""
    try:
        with socket.create_connection(("127.0.0.2", origin.port), 2):
            return True
    except OSError:
        return False


def test_page(t):
    """403 with rule and reason, as text or HTML by Accept; all escaped; an operator's page wins; HEAD has no body."""
    larder = forward(t, 'deny "r.1" host 127.0.0.1 reason="<b>\\"not\\" here & now</b>"; allow a all;')
    url = "http://127.0.0.1:81/x"
    answer = get(larder, url)
    same((answer.get("Content-Type"), answer.get("Cache-Control")), ("text/plain; charset=utf-8", "no-store"))
    same(answer.get("Proxy-Status"), "larder; error=http_request_denied")
    assert answer.body.startswith(b"403 Forbidden\n\n"), answer.body
    assert b'<b>"not" here & now</b>' in answer.body and b"Rule: r.1\nHost: 127.0.0.1\n" in answer.body, answer.body
    answer = get(larder, url, headers=[("Accept", "text/plain;q=0.1, text/html;q=0.9")])
    same(answer.get("Content-Type"), "text/html; charset=utf-8")
    assert b"&#60;b&#62;&#34;not&#34; here &#38; now&#60;/b&#62;" in answer.body, answer.body
    assert b"color-scheme:light dark" in answer.body, answer.body
    assert b"<dt>Rule</dt><dd>r.1</dd>" in answer.body and b"<b>" not in answer.body, answer.body
    answer = get(larder, url, "HEAD")
    same((answer.status, answer.body), (403, b""))
    answer = connect(larder, "127.0.0.1:443")
    same((answer.status, answer.get("Connection")), (403, "close"))
    with Client(larder.port) as client:  # others keep theirs
        for _ in range(3):
            client.request(url, host="127.0.0.1:81", headers=TEXT)
            same(client.read_response().status, 403)
    path = f"{larder.folder}/own.html"
    with open(path, "w", encoding="ascii") as out:
        out.write("<p>ours</p>")
    larder.write_config(sites=f"forward office {{ acl {{ deny a all; }} error_page 403 {path}; }}")
    larder.command("reload", check=0)
    same(get(larder, url).body, b"<p>ours</p>")


def test_of_the_response(t):
    """type and size are judged before any of the response is sent, of misses and of hits."""
    body = b"m" * 5000
    origin = t.origin({
        "/video": reply(body, cache="max-age=600", headers=[("Content-Type", "Video/MP4; codecs=x")]),
        "/text": reply(body, cache="max-age=600", headers=[("Content-Type", "text/plain")]),
        "/large": reply(b"l" * 200000, cache="max-age=600", headers=[("Content-Type", "text/plain")]),
        "/none": reply(body, cache="max-age=600"),
    })
    url = f"http://127.0.0.1:{origin.port}"
    rules = f"deny video type video/* client 127.0.0.1; deny large size >100K client 127.0.0.1; allow a {INSIDE};"
    larder = forward(t, rules)
    for _ in range(2):
        same([status(larder, url + path) for path in ("/video", "/text", "/large", "/none")], [403, 200, 403, 200])
    answer = get(larder, url + "/video")
    assert b"Rule: video\n" in answer.body and b"m" * 10 not in answer.body, answer.body
    for _ in range(2):  # others may, and what they get is in the cache
        same([status(larder, url + path, source="127.0.0.2") for path in ("/video", "/large")], [200, 200])
    same(get(larder, url + "/video", source="127.0.0.2").is_hit, True)
    same([status(larder, url + path) for path in ("/video", "/large")], [403, 403])
    same([status(larder, url + path, "HEAD") for path in ("/video", "/text", "/large")], [403, 200, 403])
    same(status(larder, url + "/large", headers=[("Range", "bytes=0-9")]), 403, "a part of it is no way round")
    same(status(larder, url + "/video", headers=[("Range", "bytes=0-9")]), 403)
    same(origin.count("/text"), 1)
    larder.write_config(sites=f"forward office {{ acl {{ allow a type text/* size <100K {INSIDE}; }} }}")
    larder.command("reload", check=0)
    same([status(larder, url + path) for path in ("/video", "/text", "/large", "/none")], [403, 200, 403, 403])
    same({r["reason"] for r in denied(larder, 13)}, {"access_rule", "access_end"})


def test_grows_too_large(t):
    """A body of unknown length is cut when it grows past the size."""
    def endless(connection, request):
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
                        "Cache-Control: no-store\r\n\r\n")
        for number in range(60):
            if number == 5:
                time.sleep(0.5)  # or the reset overtakes what came before
            connection.send(b"2710\r\n" + b"e" * 10000 + b"\r\n")
        connection.send("0\r\n\r\n")
    origin = t.origin({"/": endless})
    url = f"http://127.0.0.1:{origin.port}/"
    larder = forward(t, f"deny large size >100K; allow a {INSIDE};")
    answer = get(larder, url)
    same((answer.status, answer.complete), (200, False))
    assert len(answer.body) <= 100 << 10, len(answer.body)
    same(denied(larder, 1)[0]["reason"], "access_rule")
    larder.write_config(sites=f"forward office {{ acl {{ deny large size >600K; allow a {INSIDE}; }} }}")
    larder.command("reload", check=0)
    answer = get(larder, url)
    same((answer.complete, len(answer.body)), (True, 600000))


def test_parts_hide_nothing(t):
    """Several ranges in one response have types of their own, which nobody sees: such a response is denied."""
    parts = (b"--b\r\nContent-Type: video/mp4\r\nContent-Range: bytes 0-0/9\r\n\r\nm\r\n--b\r\nContent-Type: video/mp4\r\n"
             b"Content-Range: bytes 5-5/9\r\n\r\nm\r\n--b--\r\n")
    origin = t.origin()
    origin.default = raw(b"HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=b\r\n"
                         b"Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n" % len(parts) + parts)
    url = f"http://127.0.0.1:{origin.port}/"
    ranges = [("Range", "bytes=0-0,5-5"), ("Cache-Control", "no-store")]
    larder = forward(t, f"deny video type video/*; allow a {INSIDE};")
    same(status(larder, url, headers=ranges), 403)


def test_time(t):
    """Now holds, another hour does not."""
    origin = t.origin({"/": reply(b"page", cache="no-store")})
    url = f"http://127.0.0.1:{origin.port}/"
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    today = time.localtime().tm_wday
    other = days[(today + 3) % 7]
    larder = forward(t, f"allow a time {days[today]},{days[(today + 1) % 7]} {INSIDE};")
    same(status(larder, url), 200)
    larder.write_config(sites=f"forward office {{ acl {{ allow a time \"{other} 00:00-24:00\" {INSIDE}; }} }}")
    larder.command("reload", check=0)
    same(status(larder, url), 403)


def write_list(path, names, extra=""):
    with open(path, "w", encoding="ascii") as out:
        out.write("# a list\n" + extra)
        out.writelines(f"0.0.0.0 {name}\n" for name in names)


def test_lists(t):
    """A block list in the hosts format: exact names, and forms; a bad line changes nothing and is named."""
    origin = t.origin({"/": reply(b"page", cache="no-store")})
    larder = forward(t, None, start=False)
    path = f"{larder.folder}/blocked.txt"
    write_list(path, ["ads.test", "127.0.0.9"], "127.0.0.1 localhost\n.tracker.test\n*.below.test\n")
    rules = f"deny ads host file:{path} reason=\"Blocked by policy\"; allow a {INSIDE};"
    larder.write_config(sites=f"forward office {{ acl {{ {rules} }} }}")
    larder.start()
    for host in ("ads.test", "ADS.test", "ads.test.", "tracker.test", "a.b.tracker.test", "a.below.test"):
        answer = get(larder, f"http://{host}/")
        same((answer.status, b"Blocked by policy" in answer.body), (403, True), host)
        same(connect(larder, f"{host}:443").status, 403, host)
    for host in ("a.ads.test", "below.test", "adsitest"):
        assert b"Rule: ads" not in get(larder, f"http://{host}/").body, host
    same(status(larder, f"http://127.0.0.1:{origin.port}/"), 200)
    with open(path, "a", encoding="ascii") as out:
        out.write("||adblock^\n")
    done = larder.command("reload")
    assert done.returncode != 0 and 'line 7 of' in done.stdout + done.stderr, (done.stdout, done.stderr)
    same(status(larder, "http://ads.test/"), 403)
    write_list(path, ["other.test"])
    larder.command("reload", check=0)
    assert b"Rule: ads" not in get(larder, "http://ads.test/").body
    same(status(larder, "http://other.test/"), 403)


@slow(240)
def test_reload_under_load(t):
    """A list of 200,000 names is reloaded again and again while requests come: none fails, and none waits for it."""
    origin = t.origin({"/": reply(b"page", cache="max-age=600")})
    url = f"http://127.0.0.1:{origin.port}/"
    larder = forward(t, None, start=False)
    path = f"{larder.folder}/many.txt"
    names = [f"ad{number}.example{number % 97}.test" for number in range(200000)]
    write_list(path, names)
    larder.write_config(sites=f"forward office {{ acl {{ deny ads host file:{path}; allow a {INSIDE}; }} }}")
    larder.start()
    over, faults, counts = threading.Event(), [], [0] * 4

    def ask(number):
        with Client(larder.port) as client:
            while not over.is_set():
                client.request(url, host=url.split("/")[2], headers=TEXT)
                answer = client.read_response()
                counts[number] += 1
                if answer.status != 200:
                    faults.append(answer)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    before, during = larder.rss_bytes(), []
    for turn in range(6):
        write_list(path, names[turn:], f"new{turn}.test\n")
        count = sum(counts)
        larder.command("reload", check=0)
        during.append(sum(counts) - count)
        same(status(larder, f"http://new{turn}.test/"), 403)
        same(status(larder, f"http://{names[-1]}/"), 403)
    over.set()
    for thread in threads:
        thread.join()
    same(faults, [])
    assert min(during) >= 8 and sum(during) > 120, during  # who waited for it would have one answer each
    if not larder.is_sanitized():
        assert larder.rss_bytes() < before + (64 << 20), (before, larder.rss_bytes())
