"""RFC 9111 4.1: which stored variant answers which request."""
import time

from case import head, http_date, reply, same

GZIP = [("Content-Encoding", "gzip")]

# name, response fields, requests in order as (request fields, is it a hit?)
TABLE = [
    ("spaces and lines", [("Vary", "X-A")], [([("X-A", "1, 2")], False), ([("X-A", "1 ,2")], True),
                                            ([("X-A", "1"), ("X-A", "2")], True), ([("X-A", "2, 1")], False)]),
    ("quotes keep their spaces", [("Vary", "X-A")], [([("X-A", '"1, 2"')], False), ([("X-A", '"1,2"')], False),
                                                    ([("X-A", '"1, 2"')], True)]),
    ("absent matches absent only", [("Vary", "X-A")], [([], False), ([("X-A", "")], False), ([], True),
                                                      ([("X-A", "")], True), ([("X-A", "1")], False)]),
    ("names in any case", [("vary", "x-a , ,X-B")], [([("X-A", "1"), ("x-b", "2")], False),
                                                    ([("X-B", "2"), ("x-a", "1")], True), ([("X-A", "1")], False)]),
    ("star on its own line", [("Vary", "X-A"), ("Vary", "*")], [([], False), ([], False)]),
    ("star between commas", [("Vary", ", * ,")], [([], False), ([], False)]),
    ("codings in use", [("Vary", "Accept-Encoding"), *GZIP],
     [([("Accept-Encoding", "gzip, deflate, br")], False), ([("Accept-Encoding", "br,gzip")], True),
      ([("Accept-Encoding", "BR;q=0.9, gzip;q=1.0, odd")], True), ([("Accept-Encoding", "gzip, br;q=0")], False),
      ([("Accept-Encoding", "gzip")], True), ([], False)]),
    ("a coding that is not in use", [("Vary", "Accept-Encoding"), ("Content-Encoding", "deflate")],
     [([("Accept-Encoding", "gzip, deflate")], False), ([("Accept-Encoding", "gzip")], False),
      ([("Accept-Encoding", "deflate, gzip")], True)]),
    ("languages by weight, then by tag", [("Vary", "Accept-Language")],
     [([("Accept-Language", "en, de;q=0.5")], False), ([("Accept-Language", "DE;q=0.7 , EN")], True),
      ([("Accept-Language", "en, de")], False), ([("Accept-Language", "de, en")], True),
      ([("Accept-Language", "en")], False)]),
    ("one Content-Language, liked best", [("Vary", "Accept-Language"), ("Content-Language", "de")],
     [([("Accept-Language", "fr, de;q=0.1")], False), ([("Accept-Language", "de")], True),
      ([("Accept-Language", "en;q=0.9, de")], True), ([("Accept-Language", "en, de")], False), ([], False)]),
    ("two Content-Languages", [("Vary", "Accept-Language"), ("Content-Language", "de, en")],
     [([("Accept-Language", "fr")], False), ([("Accept-Language", "de")], False)]),
]


def test_table(t):
    origin = t.origin()
    larder = t.larder(origin)
    wrong = []
    for number, (name, fields, requests) in enumerate(TABLE):
        path = f"/v{number}"
        origin.routes[path] = reply(lambda request: repr(request.headers), cache="max-age=60", headers=fields)
        for turn, (ask, wanted) in enumerate(requests):
            response = larder.fetch(path, headers=ask)
            if response.is_hit != wanted:
                wrong.append(f"{name}, request {turn}: {response.cache_status}")
    assert not wrong, "\n" + "\n".join(wrong)


def by_language(fields):
    """What the request asks for decides Vary too: X-A alone, or X-B alone."""
    def behave(conn, request):
        which = "X-A" if request.get("X-A") == "1" and request.get("X-B") != "1" else "X-B"
        conn.send(head(200, [("Vary", which), ("Cache-Control", "max-age=600"), *fields[which], ("Content-Length", "3")])
                  + which.encode())
    return behave


def test_latest_date_wins_among_matches(t):
    """One response varies on X-A, the other on X-B: a request with both fits either. The Date decides, not the arrival."""
    both = [("X-A", "1"), ("X-B", "1")]
    for first, second, wanted in ((-100, -200, b"X-A"), (-200, -100, b"X-B"), (-100, -100, b"X-B")):
        origin = t.origin({"/d": by_language({"X-A": [("Date", http_date(first))], "X-B": [("Date", http_date(second))]})})
        larder = t.larder(origin)
        same(larder.fetch("/d", headers=[("X-A", "1"), ("X-B", "0")]).body, b"X-A")
        same(larder.fetch("/d", headers=[("X-A", "0"), ("X-B", "1")]).body, b"X-B")
        response = larder.fetch("/d", headers=both)
        assert response.is_hit, response.cache_status
        same(response.body, wanted)
        larder.stop()
        larder.start()
        same((larder.fetch("/d", headers=both).body, origin.count("/d")), (wanted, 2), "after a restart")


def test_a_fast_clock_does_not_win_for_ever(t):
    """A Date far ahead is as late as its receipt, and what was to be validated leaves when a new one comes."""
    def behave(conn, request):
        if origin.count("/d") == 1:
            conn.send(head(200, [("Date", http_date(86400)), ("Cache-Control", "max-age=1"), ("Content-Length", "3")]) + b"old")
        else:
            conn.send(head(200, [("Date", http_date(-60)), ("Cache-Control", "max-age=600"), ("Vary", "X-A"),
                                 ("Content-Length", "3")]) + b"new")
    origin = t.origin({"/d": behave})
    larder = t.larder(origin)
    same(larder.fetch("/d").body, b"old")
    time.sleep(2.1)
    same(larder.fetch("/d").body, b"new")
    response = larder.fetch("/d")
    same((response.body, response.is_hit, origin.count("/d")), (b"new", True, 2))
