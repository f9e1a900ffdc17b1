"""larder explain of a forward proxy: what it says servers are told, and how they are reached, is what then happens."""
from case import free_port, reply, same, wait_for

LOCAL = "acl { allow here to loopback port 1-65535; }"
NAMES = "acl { allow names port 1-65535; }"  # no rule asks for addresses: nobody looks up names
RULES = """
    identity hide;
    user_agent "Desk/1.0";
    drop_cookies *.ads.test 127.0.0.1;
    outgoing 127.0.0.1;
    rule path /open/*  { user_agent keep; referer same_origin; drop_cookies off; }
    rule path /last/*  { user_agent remove; }
    rule host *.far.test { upstream http://127.0.0.1:PORT else=direct; }
"""
SENT = [("User-Agent", "Mine/2"), ("Referer", "http://elsewhere.test/x"), ("Cookie", "id=1"), ("X-Forwarded-For", "192.0.2.9"), ("X-Own", "kept")]


def office(t, parent=None, more="", acl=LOCAL):
    return t.larder(listen="forward office;", sites=f"forward office {{ {acl} {RULES.replace('PORT', str(parent or free_port()))} }} {more}")


def explain(larder, url, *words):
    import json
    fields = [word for name, value in SENT for word in ("-H", f"{name}: {value}")]
    return json.loads(larder.command("explain", url, "--json", *fields, *words, check=0).stdout)


def settings(answer):
    names = ("identity", "user_agent", "referer", "drop_cookies", "outgoing", "upstream")
    return {one["name"]: (one["value"], one["from"]) for one in answer["settings"] if one["name"] in names}


def test_what_servers_are_told(t):
    """The settings with who decides them, and the very lines that the server then gets."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = office(t)
    host = f"127.0.0.1:{origin.port}"
    cases = (("/a", ('"Desk/1.0"', "forward"), ("keep", "default"), ("*.ads.test 127.0.0.1 (this host: dropped)", "forward")),
             ("/open/a", ("keep", "rule"), ("same_origin", "rule"), ("off", "rule")),
             ("/last/a", ("remove", "rule"), ("keep", "default"), ("*.ads.test 127.0.0.1 (this host: dropped)", "forward")))
    for path, agent, referer, cookies in cases:
        answer = explain(larder, f"http://{host}{path}")
        same((answer["site"], answer["origin"]["pool"], answer["origin"]["host"], answer["origin"]["target"]),
             ("forward:office", "direct", host, path))
        same(settings(answer), {"identity": ("hide", "forward"), "user_agent": agent, "referer": referer, "drop_cookies": cookies,
                                "outgoing": ("127.0.0.1", "forward"), "upstream": ("direct", "default")}, path)
        same(larder.fetch(f"http://{host}{path}", host=host, headers=SENT).status, 200)
        got = [f"{name}: {value}" for name, value in origin.last().headers if name.lower() not in ("host", "connection", "te")]
        same(sorted(answer["origin"]["headers"]), sorted(got), path)
    answer = explain(larder, "http://shop.test/")
    same(settings(answer)["drop_cookies"], ("*.ads.test 127.0.0.1 (this host: kept)", "forward"))
    answer = explain(larder, "http://x.ads.test./")
    same(settings(answer)["drop_cookies"], ("*.ads.test 127.0.0.1 (this host: dropped)", "forward"), "the same name with the root's dot")
    assert not any(line.startswith("Cookie:") for line in answer["origin"]["headers"]), answer["origin"]
    text = larder.command("explain", f"http://{host}/open/a", check=0).stdout
    row = next(line for line in text.splitlines() if line.startswith("referer "))
    assert row.split()[1] == "same_origin" and "# rule " in row and row.rstrip()[-1].isdigit(), row
    assert "origin                   direct: the server of the URL\n" in text, text
    assert not any(line.startswith(("origins ", "redirect ", "strip_prefix ")) for line in text.splitlines()), text


def test_by_a_parent(t):
    """Which one would be asked, and how; not who we are to it."""
    parent = t.origin(default=reply("p", cache="no-store"))
    larder = office(t, parent.port, acl=NAMES)
    answer = explain(larder, "http://www.far.test/x")
    same(settings(answer)["upstream"], (f"http://127.0.0.1:{parent.port} else=direct", "rule"))
    same(answer["origin"]["target"], "http://www.far.test/x")
    same([one["name"] for one in answer["origin"]["servers"]], [answer["origin"]["server"]])
    same(larder.fetch("http://www.far.test/x", host="www.far.test", headers=SENT).body, b"p")
    same(parent.last().line, "GET http://www.far.test/x HTTP/1.1")
    said = {line.split(":")[0] for line in answer["origin"]["headers"]}
    same({"X-Own", "User-Agent"} <= said and "X-Forwarded-For" not in said, True)


def test_https_by_a_parent(t):
    """Fetched by nobody: the same that its client would be told."""
    larder = t.larder(listen="forward office;", sites=f"""forward office {{ acl {{ allow any port 1-65535; }} fetch_https on;
        rule host *.far.test {{ upstream http://127.0.0.1:{free_port()}; }} }}""")
    told = larder.command("explain", "https://www.far.test/x")
    assert told.returncode == 1 and "501: https:// URLs are not fetched through parent proxies" in told.stderr, told
    same(larder.fetch("https://www.far.test/x", host="www.far.test").status, 501)
    same(explain(larder, "https://www.near.test/x")["origin"]["pool"], "direct")


def test_tunnels(t):
    """Of what goes through one nothing is told or changed: the way alone is said."""
    larder = office(t)
    answer = explain(larder, "https://www.far.test/secret")
    same((answer["answer"], answer["reason"], answer["method"], answer["origin"]["target"], answer["origin"]["headers"]),
         ("tunnel", "tunnel", "CONNECT", "www.far.test:443", []))
    same(sorted(settings(answer)), ["outgoing", "upstream"])
    same([one["name"] for one in answer["settings"]], ["outgoing", "upstream"])
    same(explain(larder, "https://a.test:8443/")["origin"]["pool"], "direct")


def test_the_cache_counts_too(t):
    """Its own key, and what is stored under it."""
    origin = t.origin(default=reply("x", cache="max-age=600"))
    larder = office(t)
    url = f"http://127.0.0.1:{origin.port}/kept"
    same(explain(larder, url)["answer"], "miss")
    larder.fetch(url, host=f"127.0.0.1:{origin.port}", headers=SENT)
    wait_for(lambda: explain(larder, url)["answer"] == "hit", 10, "the stored response")
    same((explain(larder, url)["origin"], origin.count()), (None, 1))


def test_which_one(t):
    """The site of that name, else the only forward proxy, else the one that is named."""
    port = free_port()
    larder = office(t, more=f"listen 127.0.0.1:{port} {{ forward lab; }} forward lab {{ identity forward; }} "
                            "site www.test { origins { server a http://127.0.0.1:1; } }")
    same(explain(larder, "http://www.test/")["site"], "www.test")
    same(settings(explain(larder, "http://www.test/")), {})
    same(settings(explain(larder, "http://www.test/", "--forward", "lab"))["identity"], ("forward", "forward"))
    same(larder.command("explain", "http://other.test/").returncode, 1)
    assert "--forward" in larder.command("explain", "http://other.test/").stderr
    assert "no forward proxy has this name" in larder.command("explain", "http://other.test/", "--forward", "shop").stderr
