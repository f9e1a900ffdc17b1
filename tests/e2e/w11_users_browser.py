"""The password of a forward proxy and a real browser: asked once, then sent by itself, for http and through tunnels."""
from browser import Browser
from case import reply, same, slow, wait_for
from tls import Authority, TlsOrigin
from w10_users import checked, hashed, proxy

HTML = [("Content-Type", "text/html; charset=utf-8")]


def routes(word):
    pictures = "".join(f'<img src="/picture{number}">' for number in range(8))
    page = reply(f"<!doctype html><title>x</title><p>{word}</p>{pictures}".encode(), headers=HTML, cache="max-age=60")
    return {"/": page, "/favicon.ico": reply(b"", 404),
            **{f"/picture{number}": reply(b"x", headers=[("Content-Type", "image/png")]) for number in range(8)}}


@slow(180)
def test_http_and_https(t):
    plain = t.origin(routes("in the clear"))
    behind = TlsOrigin(t, Authority(t).issue("IP:127.0.0.1"), routes("behind TLS"))
    larder = proxy(t, {"anna": hashed("secret")})
    browser = Browser(t, larder.port, login=("anna", "secret"))
    status, text = browser.visit(f"https://127.0.0.1:{behind.port}/")  # CONNECT first
    same((status, "behind TLS" in text), (200, True))
    same(browser.asked, [("Proxy", "basic", "proxy")])
    status, text = browser.visit(f"http://127.0.0.1:{plain.port}/")
    same((status, "in the clear" in text), (200, True))
    same(browser.asked, [("Proxy", "basic", "proxy")])  # it knows by now
    wait_for(lambda: behind.count() >= 9 and plain.count() >= 9, 20, "the pictures")
    same(checked(larder), (1, 0))
    for request in plain.requests + behind.requests:
        same(request.get("Proxy-Authorization"), None)
    browser.stop()
    records = wait_for(lambda: [r for r in larder.access_records() if r["method"] == "CONNECT" and r["status"] == 200],
                       20, "the tunnels")
    same({r["user"] for r in records}, {"anna"})


@slow(180)
def test_http_first(t):
    plain = t.origin(routes("in the clear"))
    larder = proxy(t, {"anna": hashed("secret")})
    browser = Browser(t, larder.port, login=("anna", "secret"))
    status, text = browser.visit(f"http://127.0.0.1:{plain.port}/")
    same((status, "in the clear" in text), (200, True))
    same(browser.asked, [("Proxy", "basic", "proxy")])
    wait_for(lambda: plain.count() >= 9, 20, "the pictures")
    asked = [r for r in larder.access_records() if r["status"] == 407 and "127.0.0.1" in r["host"]]
    assert len(asked) <= 2, asked


@slow(180)
def test_wrong_and_none(t):
    """Who does not know the password sees why, and nothing else."""
    plain = t.origin(routes("in the clear"))
    larder = proxy(t, {"anna": hashed("secret")}, options='realm="Example Inc."')
    browser = Browser(t, larder.port, login=("anna", "wrong"))
    status, text = browser.visit(f"http://127.0.0.1:{plain.port}/")
    same((status, "in the clear" in text), (407, False))
    assert "The name or the password is wrong" in text or "asks who you are" in text, text
    same(set(browser.asked), {("Proxy", "basic", "Example Inc.")})
    same((plain.count(), checked(larder)), (0, (0, 1)))
