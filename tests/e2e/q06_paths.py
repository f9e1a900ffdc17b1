"""normalize_path: one form for rules, key and origin; what could mean two paths is refused where that matters."""
import json

from case import reply, same


def setup(t, **words):
    origin = t.origin()
    origin.default = reply(lambda request: f"{request.target} {origin.count()}", cache="max-age=600")
    return origin, t.larder(origin, **words)


DENY = "rule path /admin/* /admin { pass; }\nrule prefix /deny { pass; }"


def test_rules_are_not_passed_by(t):
    """auto: a site whose rules ask for the path."""
    origin, larder = setup(t, site=DENY)
    for target, wanted in (("//admin/x", "/admin/x"), ("/x/../admin/x", "/admin/x"), ("/%61dmin/x", "/admin/x"),
                           ("/./admin/x", "/admin/x"), ("/%2e/admin//x?y=//", "/admin/x?y=//"), ("/x/%2E%2e/admin", "/admin"),
                           ("/a//../deny/x", "/deny/x")):
        for _ in range(2):
            response = larder.fetch(target)
            same((response.status, response.is_hit, "bypass" in response.cache_status), (200, False, True), target)
            same(origin.last().target, wanted, target)
    count = origin.count()
    for target in ("/admin%2fx", "/%2fadmin/x", "/x/..%2fadmin/x", "/x/..%5cadmin/x", "/..\\admin\\x", "/x/..;/admin/x",
                   "/deny%2Fx", "\\admin", "/admin%5cx", "/a%00"):
        same(larder.fetch(target).status, 400, target)
    same(origin.count(), count, "none of these reached the origin")


def test_no_deception(t):
    """What is not below /static for an origin that reads %2F as a slash is not stored as if it were."""
    origin, larder = setup(t, site="rule path /static/* { ttl 30d; ignore_cookies; }")
    for target in ("/static/..%2faccount", "/static/..%2Faccount/x.css", "/static%2f..%2faccount"):
        same(larder.fetch(target, headers=[("Cookie", "session=1")]).status, 400, target)
    larder.fetch("/static/../account")
    same(origin.last().target, "/account")


def test_escaped_slashes_that_matter_to_nobody(t):
    origin, larder = setup(t, site=DENY)
    for target, wanted in (("/@scope%2fname", "/@scope%2Fname"), ("/a%20b%c3%a9", "/a%20b%C3%A9"), ("/100%", "/100%25")):
        same(larder.fetch(target).status, 200, target)
        same(origin.last().target, wanted)


def test_one_key(t):
    origin, larder = setup(t, site="normalize_path fold;")
    larder.fetch("/a/b~c")
    for target in ("//a/b~c", "/a/./b~c", "/x/../a/b%7Ec", "/%61/b%7ec"):
        assert larder.fetch(target).is_hit, target
    same(origin.count(), 1)
    same(json.loads(larder.fetch("/a//b%7Ec", "PURGE").body)["matched"], 1)
    larder.fetch("/a/b~c")
    same(larder.purge("http://site.test/x/../a/b%7ec")["matched"], 1)
    answer = json.loads(larder.command("explain", "http://site.test//a/%62~c", "--json", check=0).stdout)
    same((answer["key"], answer["origin"]["target"]), ("http://site.test/a/b~c", "/a/b~c"))


def test_reject(t):
    origin, larder = setup(t, site="normalize_path reject;")
    for target in ("//a", "/a/../b", "/a/.", "/%61", "/a%2fb", "/a%5Cb", "/a\\b", "/a%", "/a%00b", "/a/..;/b"):
        response = larder.fetch(target)
        same(response.status, 400, target)
    same(origin.count(), 0)
    for target in ("/a%20b", "/.well-known/x", "/a?//..%2f%", "/a;x=1", "/"):
        larder.fetch(target)
        same(origin.last().target, target)


def test_off(t):
    """Without settings that look at paths they go as sent; so with `off`."""
    for words in ({}, {"site": f"normalize_path off; {DENY}"}):
        origin, larder = setup(t, **words)
        for target in ("//a/../b/./c", "/%61%7e%2f", "/a%", "/a\\b"):
            larder.fetch(target)
            same(origin.last().target, target)
            assert larder.fetch(target).is_hit, target
