"""ignore_query and sort_query: the key, what the origin is asked, and every way to purge."""
from case import reply, same, wait_for


def counter(origin, **words):
    return reply(lambda request: f"{request.target} {origin.count()}", **words)


def setup(t, **words):
    origin = t.origin()
    origin.default = counter(origin, cache="max-age=600")
    return origin, t.larder(origin, **words)


def test_ignored_names(t):
    origin, larder = setup(t, cache="ignore_query utm_* gclid;")
    first = larder.fetch("/p?utm_source=a&b=1&gclid=x&b=&c")
    same(origin.last().target, "/p?b=1&b=&c", "order, duplicates and empty values stay")
    for target in ("/p?b=1&b=&c", "/p?b=1&utm_x&b=&c&gclid", "/p?%75tm_a=1&b=1&b=&c"):
        response = larder.fetch(target)
        assert response.is_hit and response.body == first.body, target
    for target in ("/p?b=&b=1&c", "/p?b=1&b&c", "/p?B=1&b=&c", "/p", "/p?b=1&b=&c&gclidx=1"):
        assert not larder.fetch(target).is_hit, target
        same(origin.last().target, target)


def test_question_mark(t):
    """It goes only when everything was dropped."""
    origin, larder = setup(t, cache="ignore_query a;")
    larder.fetch("/p?a=1")
    same(origin.last().target, "/p")
    assert larder.fetch("/p").is_hit
    assert not larder.fetch("/p?").is_hit
    same(origin.last().target, "/p?")


def test_off_by_default(t):
    origin, larder = setup(t)
    for target in ("/p?b=1&a=2", "/p?a=2&b=1", "/p?utm_source=x", "/p?", "/p"):
        assert not larder.fetch(target).is_hit, target
        same(origin.last().target, target)


def test_all(t):
    origin, larder = setup(t, cache="ignore_query *;")
    larder.fetch("/p?x=1&y")
    same(origin.last().target, "/p")
    for target in ("/p", "/p?", "/p?z", "/p?&&"):
        assert larder.fetch(target).is_hit, target


def test_sorted(t):
    origin, larder = setup(t, cache="sort_query on; ignore_query x;")
    larder.fetch("/p?c=1&a=2&x=9&b&a=1")
    same(origin.last().target, "/p?a=2&a=1&b&c=1")
    assert larder.fetch("/p?a=2&b&c=1&a=1").is_hit
    assert not larder.fetch("/p?a=1&b&c=1&a=2").is_hit, "the order within a name counts"


def test_by_rule(t):
    origin, larder = setup(t, cache="ignore_query a;", site="""
        rule path /static/* { ignore_query *; }
        rule path /api/* { ignore_query off; sort_query on; }""")
    for target, wanted in (("/p?a&b", "/p?b"), ("/static/x?v=1&a", "/static/x"), ("/api/x?b&a", "/api/x?a&b")):
        larder.fetch(target)
        same(origin.last().target, wanted)


def test_requests_that_pass_go_as_they_came(t):
    origin, larder = setup(t, cache="ignore_query a; sort_query on;", site="rule path /pass { pass; }")
    larder.fetch("/p?c&a&b", "POST", body=b"x")
    same(origin.last().target, "/p?c&a&b")
    larder.fetch("/pass?c&a&b")
    same(origin.last().target, "/pass?c&a&b")


def test_unsafe_methods_invalidate_every_spelling(t):
    origin, larder = setup(t, cache="ignore_query a; sort_query on;")
    larder.fetch("/p?c&b")
    assert larder.fetch("/p?a=7&b&c").is_hit
    larder.fetch("/p?b&a=1&c", "POST", body=b"x")
    assert not larder.fetch("/p?c&b").is_hit
    origin.routes["/other"] = reply("x", headers=[("Location", "/p?c&a&b")])
    assert larder.fetch("/p?c&b").is_hit
    larder.fetch("/other", "POST", body=b"x")
    assert not larder.fetch("/p?c&b").is_hit, "also what Location names"


def test_purge_of_any_spelling(t):
    _, larder = setup(t, cache="ignore_query utm_*; sort_query on;", site="rule path /s/* { ignore_query *; }")
    spellings = ["/p?b=1&a=2", "/p?a=2&b=1", "/p?utm_source=x&a=2&b=1", "/p?b=1&utm_x&a=2"]
    for spelling in spellings:
        larder.fetch("/p?a=2&b=1")
        same(larder.purge(f"http://site.test{spelling}")["matched"], 1, spelling)
        assert not larder.fetch("/p?a=2&b=1").is_hit
        assert larder.fetch("/p?a=2&b=1").is_hit
        assert b'"matched":1' in larder.fetch(spelling, "PURGE").body, spelling
        assert not larder.fetch("/p?a=2&b=1").is_hit, "the PURGE method knows it too"
    larder.fetch("/s/x?v=1")
    same(larder.purge("http://SITE.test:80/s/x?v=2")["matched"], 1)
    same(larder.purge("http://site.test/s/x")["matched"], 0)


def test_reload_changes_it_live(t):
    origin, larder = setup(t)
    larder.fetch("/p?a=1")
    same(origin.last().target, "/p?a=1")
    larder.write_config(cache="ignore_query a;")
    larder.command("reload", check=0)
    assert not larder.fetch("/p?a=1").is_hit
    same(origin.last().target, "/p")
    same(larder.purge("http://site.test/p?a=5")["matched"], 1, "a purge goes by what is in force now")


def test_hostile_queries(t):
    origin, larder = setup(t, cache="ignore_query *a*a*a*a*a*a*a*b; sort_query on;")
    target = "/p?" + "a" * 4000 + "&" + "&".join("z" * (i % 7) for i in range(1500))
    same(larder.fetch(target).status, 200)
    assert larder.fetch(target).is_hit
    same(len(origin.last().target), len(target))


def test_the_log_has_it_as_it_came(t):
    _, larder = setup(t, cache="ignore_query a;", access="json")
    larder.fetch("/p?a=1&b=2")
    wait_for(lambda: larder.access_records(), what="the line")
    record = larder.access_records()[0]
    same((record["path"], record["query"]), ("/p", "a=1&b=2"))
