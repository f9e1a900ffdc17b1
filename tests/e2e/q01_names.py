"""Several sites on one daemon: exact names, wildcards, the default, and nobody's name."""
import os

from case import reply, same


def site(names, origin, more=""):
    return f"site {names} {{ origins {{ server o http://127.0.0.1:{origin.port}; }} {more} }}\n"


def test_whose_name(t):
    exact, wide, deep = t.origin(), t.origin(), t.origin()
    for origin, name in ((exact, b"exact"), (wide, b"wide"), (deep, b"deep")):
        origin.default = reply(name, cache="max-age=600")
    larder = t.larder(sites=site("www.example.com example.com", exact) + site("*.example.com", wide) +
                      site("*.img.example.com", deep))
    for host, wanted in (("www.example.com", b"exact"), ("WWW.Example.COM:8080", b"exact"), ("example.com", b"exact"),
                         ("a.example.com", b"wide"), ("x.y.z.example.com", b"wide"), ("img.example.com", b"wide"),
                         ("a.img.example.com", b"deep"), ("b.a.img.example.com:81", b"deep"),
                         ("www.example.com.", b"exact"), ("a.img.example.com.:81", b"deep")):
        response = larder.fetch("/p", host=host)
        same((response.status, response.body), (200, wanted), host)
        assert larder.fetch("/p", host=host).is_hit, host
    for host in ("aexample.com", "example.org", "com", ".example.com", "example.com.evil.test", "www.example.com..", "."):
        same(larder.fetch("/p", host=host).status, 421, host)
    same([request.get("Host") for request in wide.requests], ["a.example.com", "x.y.z.example.com", "img.example.com"])


def test_names_below_a_wildcard_share_nothing(t):
    origin = t.origin()
    origin.default = reply(lambda request: request.get("Host"), cache="max-age=600")
    larder = t.larder(sites=site("*.example.com", origin, "cache { purge from 127.0.0.1; }"))
    for host in ("a.example.com", "b.example.com"):
        same(larder.fetch("/p", host=host).body, host.encode())
    same(larder.fetch("/p", "PURGE", host="a.example.com").status, 200)
    assert not larder.fetch("/p", host="a.example.com").is_hit
    assert larder.fetch("/p", host="b.example.com").is_hit


def test_default_and_reload(t):
    first, rest = t.origin(), t.origin()
    first.default, rest.default = reply(b"first"), reply(b"rest")
    larder = t.larder(sites=site("*.example.com", first) + site("*", rest))
    same(larder.fetch("/", host="a.example.com").body, b"first")
    same(larder.fetch("/", host="example.com").body, b"rest")
    larder.write_config(sites=site("a.example.com", rest) + site("*.com", first))
    larder.command("reload", check=0)
    same(larder.fetch("/", host="a.example.com").body, b"rest")
    same(larder.fetch("/", host="example.com").body, b"first")
    same(larder.fetch("/", host="example.org").status, 421)


def test_check_tells_both_places(t):
    origin = t.origin()
    larder = t.larder(start=False, sites=site("*.example.com a", origin) + site("b *.EXAMPLE.com", origin))
    done = larder.cli("check", larder.config_path, check=1)
    name = os.path.basename(larder.config_path)
    text = done.stdout + done.stderr
    assert 'site "*.example.com" is already defined at' in text and f"{name}:" in text, text
