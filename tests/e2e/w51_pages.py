"""What people see of a forward proxy that does not serve them: HTML for those who take it, text for all others, words for
visitors, a reference that logs know, and nothing of theirs that acts."""
import re
import socket

from case import Client, free_port, reply, same, wait_for
from dns import SERVFAIL
from w10_users import basic, hashed
from w10_users import proxy as with_users
from w20_names import dns, proxy
from w20_names import get as ask

HTML = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]
LOCAL = "acl { allow here to loopback port 1-65535; }"


def page(response):
    """Title and sentences of the HTML page, and what stands below them."""
    same((response.get("Content-Type"), response.get("Cache-Control")), ("text/html; charset=utf-8", "no-store"))
    text = response.body.decode()
    assert text.startswith("<!doctype html>\n<html lang=\"en\">") and text.endswith("</dl></body></html>\n"), text
    title = re.search(r"<h1>(.*?)</h1>", text)[1]
    assert f"<title>{title}</title>" in text, text
    return title, re.findall(r"<p>(.*?)</p>", text), dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))


def plain(response):
    """The same of the text: the first line, title, sentences, what stands below."""
    same(response.get("Content-Type"), "text/plain; charset=utf-8")
    first, said, facts = response.body.decode().split("\n\n")
    title, *rest = said.split("\n")
    return first, title, rest, dict(line.split(": ", 1) for line in facts.strip().split("\n"))


def reference(larder, count=1):
    records = wait_for(lambda: larder.access_records()[count - 1:], 10, "the log")
    return records[-1]["request_id"]


def test_failures_in_words(t):
    """Each failure on the way says what happened and what to do, with the words of the log below; and so does the text."""
    closed = free_port()
    broken = t.origin({"/cut": lambda conn, request: conn.send(b"nonsense\r\n\r\n")}, host="127.0.0.1")
    deaf = socket.socket()  # takes connections, says nothing
    deaf.bind(("127.0.0.1", 0))
    deaf.listen(8)
    t.undo.append(deaf.close)
    server = dns(t, {"app.test": [("A", "127.0.0.1", 60)], "bad.test": SERVFAIL})
    larder = proxy(t, server, origins="timeout connect=5s first_byte=3s idle=20s; retry 0;", acl="acl { allow any to loopback port 1-65535; }")
    cases = [("http://none.test/", 502, "This site was not found", "spelled right", "resolved"),
             ("http://bad.test/", 502, "This site was not found", "few minutes", "resolved"),
             (f"http://app.test:{closed}/", 502, "This site cannot be reached", "few minutes", "refuses"),
             (f"http://app.test:{deaf.getsockname()[1]}/", 504, "This site takes too long to answer", "few minutes", "in time"),
             (f"http://app.test:{broken.port}/cut", 502, "This site did not answer properly", "few minutes", "malformed")]
    seen = set()
    for number, (url, status, title, advice, details) in enumerate(cases):
        answer = ask(larder, url, headers=HTML)
        got, said, facts = page(answer)
        same((answer.status, got), (status, title), url)
        assert advice in said[1] and "ask those who run this proxy" in said[2], (url, said)
        assert details in facts["Details"] and facts["Host"] == url.split("/")[2].split(":")[0], (url, facts)
        assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", facts["Time"]), facts
        same(facts["Reference"], reference(larder, number + 1), "the log has the same")
        seen.add(facts["Reference"])
    same(len(seen), len(cases), "each its own")
    first, title, said, facts = plain(ask(larder, "http://none.test/"))
    same((first, title), ("502 Bad Gateway", "This site was not found."))
    assert "spelled right" in said[1] and "resolved" in facts["Details"], (said, facts)
    same(facts["Reference"], reference(larder, len(cases) + 1))
    for accept in ("*/*", "text/html;q=0, text/plain", "text/html; level=1; Q=0.000"):
        same(plain(ask(larder, "http://none.test/", headers=[("Accept", accept)]))[0], "502 Bad Gateway", f"text for {accept}")
    for accept in ("TEXT/HTML;q=0.001", "text/plain, text/html"):
        same(page(ask(larder, "http://none.test/", headers=[("Accept", accept)]))[0], "This site was not found", accept)


def test_a_parent_that_is_down(t):
    """It is no fault of the site, and the page says so."""
    larder = t.larder(listen="forward office;",
                      sites=f"forward office {{ acl {{ allow any port 1-65535; }} upstream http://127.0.0.1:{free_port()}; }}")
    answer = ask(larder, "http://site.test/", headers=HTML)
    title, said, facts = page(answer)
    same((answer.status, title), (502, "This proxy cannot pass your request on"))
    assert "the site has nothing to do with it" in said[0] and "parent proxy refuses" in facts["Details"], (said, facts)


def test_the_login(t):
    """Who is asked, who was wrong, who guesses too often: each is told what to do, and CONNECT the same."""
    origin = t.origin(default=reply("x"))
    larder = with_users(t, {"anna": hashed("secret")}, options="failures=1/m")
    url = f"http://127.0.0.1:{origin.port}/"
    answer = larder.fetch(url, host="127.0.0.1", headers=HTML)
    title, said, facts = page(answer)
    same((answer.status, title, "Details" in facts), (407, "This proxy asks who you are", False))
    assert "Load the page again" in said[1] and answer.get("Proxy-Authenticate"), (said, answer.headers)
    wrong = larder.fetch(url, host="127.0.0.1", headers=HTML + basic("anna", "wrong"))
    same((wrong.status, page(wrong)[0]), (407, "The name or the password is wrong"))
    again = larder.fetch(url, host="127.0.0.1", headers=HTML + basic("anna", "other"))
    same((again.status, page(again)[0]), (429, "Too many wrong passwords came from your address"))
    with Client(larder.port) as client:
        client.request("127.0.0.1:443", "CONNECT", host="127.0.0.1:443", headers=HTML)
        same(page(client.read_response("CONNECT"))[0], "This proxy asks who you are")
    denials = wait_for(lambda: larder.api("/api/v1/access/denials")[1]["items"][1:], 10, "the denials")
    same(len(larder.api("/api/v1/access/denials")[1]["items"]), 2, "who was asked is none")
    del denials


def test_a_denial_has_its_reference(t):
    """The page, the log and the list of denials name it alike; what a client or a rule says acts nowhere."""
    larder = t.larder(listen="forward office;", sites="""forward office { acl {
        deny ads host *.ads.test reason="say \\"<script>alert(1)</script>\\"."; allow all; } }""")
    answer = larder.fetch("http://x.ads.test/?q=<script>", host="x.ads.test", headers=HTML + [("User-Agent", "<script>")])
    title, said, facts = page(answer)
    same((answer.status, title, said[1]), (403, "This proxy does not allow this request", "Trying again will not help."))
    same(said[0], "Say &#34;&#60;script&#62;alert(1)&#60;/script&#62;&#34;.")
    same((facts["Rule"], facts["Host"], b"<script" in answer.body), ("ads", "x.ads.test", False))
    items = wait_for(lambda: larder.api("/api/v1/access/denials")[1]["items"], 10, "the denial")
    same((items[0]["request_id"], reference(larder)), (facts["Reference"],) * 2)
    assert facts["Reference"] in larder.command("access", "denials", check=0).stdout


def test_who_opens_the_proxy_itself(t):
    """A browser that was given the proxy's address as that of a page; an error page of the operator's wins."""
    larder = t.larder(listen="forward office;", sites="forward office { acl { allow all; } }")
    answer = larder.fetch("/", headers=HTML)
    same((answer.status, page(answer)[0]), (400, "This is a proxy, not a web site"))
    with open(f"{t.folder}/own.html", "w", encoding="ascii") as file:
        file.write("<h1>ours</h1>")
    larder.write_config(sites=f"forward office {{ acl {{ allow all; }} error_page 400 502 {t.folder}/own.html; }}")
    larder.command("reload", check=0)
    same(larder.fetch("/", headers=HTML).body, b"<h1>ours</h1>")


def test_sites_keep_their_small_page(t):
    """Of a published site nothing changes: the words are for who is before a proxy of his own."""
    larder = t.larder(origins="", sites=f"site * {{ origins {{ server a http://127.0.0.1:{free_port()}; }} }}")
    answer = larder.fetch("/", headers=HTML)
    same((answer.status, answer.get("Content-Type")), (502, "text/plain; charset=utf-8"))
    same(answer.body, b"502 Bad Gateway\n\nthe origin refuses connections\n")
