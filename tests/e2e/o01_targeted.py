"""RFC 9213: cache control for this cache alone. Larder-Cache-Control comes before CDN-Cache-Control, then Cache-Control."""
import time

from case import http_date, reply, same

OWN, CDN, CC = "Larder-Cache-Control", "CDN-Cache-Control", "Cache-Control"

# name, response fields, is the second request a hit?
TABLE = [
    ("CDN alone", [(CDN, "max-age=60")], True),
    ("CDN over no-store", [(CDN, "max-age=60"), (CC, "no-store")], True),
    ("CDN over Expires", [(CDN, "max-age=60"), ("Expires", http_date(-100))], True),
    ("CDN over Pragma", [(CDN, "max-age=60"), ("Pragma", "no-cache")], True),
    ("CDN no-store over max-age", [(CDN, "no-store"), (CC, "max-age=60")], False),
    ("CDN private over max-age", [(CDN, "private"), (CC, "max-age=60")], False),
    ("CDN max-age=0 over max-age", [(CDN, "max-age=0"), (CC, "max-age=60")], False),
    ("no lifetime from Expires", [(CDN, "public"), ("Expires", http_date(100))], False),
    ("name in other case", [("cdn-CACHE-control", "max-age=60")], True),
    ("directive in capitals", [(CDN, "MAX-AGE=60")], False),
    ("directive in capitals, fallen back", [(CDN, "MAX-AGE=60"), (CC, "max-age=60")], True),
    ("empty", [(CDN, ""), (CC, "max-age=60")], True),
    ("comma at the end", [(CDN, "no-store,"), (CC, "max-age=60")], True),
    ("parse error behind no-store", [(CDN, "no-store, &"), (CC, "max-age=60")], True),
    ("space around =", [(CDN, "max-age = 0"), (CC, "max-age=60")], True),
    ("parameters", [(CDN, "max-age=60;x=1;y")], True),
    ("unknown directives", [(CDN, 'a=1, b="no-store", max-age=60, c')], True),
    ("max-age is a token", [(CDN, "max-age=a"), (CC, "max-age=60")], False),
    ("max-age is a string", [(CDN, 'max-age="60"'), (CC, "max-age=60")], False),
    ("max-age is a decimal", [(CDN, "max-age=60.0"), (CC, "max-age=60")], False),
    ("max-age is negative", [(CDN, "max-age=-60"), (CC, "max-age=60")], False),
    ("Age used up", [(CDN, "max-age=60"), ("Age", "60")], False),
    ("Age not used up", [(CDN, "max-age=60"), ("Age", "30"), (CC, "max-age=10")], True),
    ("two lines", [(CDN, "public"), (CDN, "max-age=60")], True),
    ("own name first", [(CDN, "no-store"), (OWN, "max-age=60"), (CC, "no-store")], True),
    ("own name first, forbids", [(CDN, "max-age=60"), (OWN, "no-store"), (CC, "max-age=60")], False),
    ("own name void", [(OWN, "max-age"), (CDN, "max-age=60")], False),
    ("own name malformed", [(OWN, "max-age=60;"), (CDN, "max-age=60")], True),
    ("Surrogate-Control is nothing unless listed", [("Surrogate-Control", "max-age=60")], False),
]


def judge(larder, origin, table):
    wrong = []
    for number, (name, fields, wanted) in enumerate(table):
        path = f"/t{number}"
        origin.routes[path] = reply(lambda request, p=path: f"{p} {origin.count(p)}", headers=fields)
        first, second = larder.fetch(path), larder.fetch(path)
        same((first.status, second.status), (200, 200), name)
        count = origin.count(path)
        if (count == 1) != wanted or second.is_hit != wanted:
            wrong.append(f"{name}: {count} origin requests, {second.cache_status}")
        for field, value in fields:
            assert value in first.all(field) and value in second.all(field), f"{name}: {field} did not reach the client"
    assert not wrong, "\n" + "\n".join(wrong)


def test_table(t):
    origin = t.origin()
    judge(t.larder(origin), origin, TABLE)


def test_names_are_the_operators(t):
    origin = t.origin()
    judge(t.larder(origin, cache="targeted Surrogate-Control X-Edge;"), origin, [
        ("listed", [("Surrogate-Control", "max-age=60"), (CC, "no-store")], True),
        ("second", [("X-Edge", "max-age=60"), (CC, "no-store")], True),
        ("order", [("X-Edge", "max-age=60"), ("Surrogate-Control", "no-store")], False),
        ("not listed any more", [(CDN, "max-age=60"), (CC, "no-store")], False),
    ])


def test_off(t):
    origin = t.origin()
    judge(t.larder(origin, cache="targeted off;"), origin, [
        ("CDN", [(CDN, "max-age=60"), (CC, "no-store")], False),
        ("own", [(OWN, "no-store"), (CC, "max-age=60")], True),
    ])


def test_stale_rules_come_from_the_field(t):
    """must-revalidate in Cache-Control does not count; stale-while-revalidate in the targeted field does."""
    origin = t.origin({"/s": reply(lambda request: str(origin.count("/s")), headers=[
        (CDN, "max-age=1, stale-while-revalidate=60"), (CC, "max-age=1, must-revalidate")])})
    larder = t.larder(origin)
    same(larder.fetch("/s").body, b"1")
    time.sleep(2.1)
    stale = larder.fetch("/s")
    same((stale.status, stale.body), (200, b"1"))
    assert stale.is_hit, stale.cache_status


def test_a_304_keeps_the_field_in_force(t):
    """The stored targeted field decides after a 304 that brings another Cache-Control."""
    origin = t.origin({"/v": reply("x", etag='"e"', headers=[(CDN, "max-age=6"), (CC, "no-store")])})
    larder = t.larder(origin)
    larder.fetch("/v")
    time.sleep(7.1)
    origin.routes["/v"] = reply("x", etag='"e"', headers=[(CC, "max-age=600")])
    response = larder.fetch("/v")
    same((response.status, response.body, response.get(CDN), response.get(CC)), (200, b"x", "max-age=6", "max-age=600"))
    assert larder.fetch("/v").is_hit
    time.sleep(7.1)
    larder.fetch("/v")
    same(origin.count("/v"), 3, "max-age=6 of the targeted field is over")


def test_kept_over_a_restart(t):
    origin = t.origin({"/r": reply("x", headers=[(OWN, "max-age=600"), (CC, "no-store")])})
    larder = t.larder(origin)
    larder.fetch("/r")
    larder.stop()
    larder.start()
    response = larder.fetch("/r")
    assert response.is_hit, response.cache_status
    same((response.get(OWN), response.get(CC), origin.count("/r")), ("max-age=600", "no-store", 1))
