"""Limits, bandwidths and quotas by who is logged in."""
import os
import threading
import time

from case import content, reply, same, wait_for
from paced import Meter, forward, paced, url
from w10_users import basic, hashed, write

MIB = 1 << 20
BIG = content("/big", 8 * MIB)
ORIGIN = {"/big": reply(BIG, cache="max-age=600"), "/small": reply(b"small", cache="max-age=600")}
ANNA, BEN = basic("anna", "a"), basic("ben", "b")


def proxy(t, origin, block, **words):
    path = os.path.join(t.folder, "htpasswd")
    write(path, {"anna": hashed("a", 1000), "ben": hashed("b", 1000)})
    return forward(t, origin, f"auth basic {path}; auth_except 127.0.1.0/24; {block}", **words)


def get(larder, origin, who=(), source="127.0.0.2"):
    return larder.fetch(url(origin, "/small"), headers=list(who), source=source).status


def test_rate_by_user(t):
    """A user has one rate over connections, workers and addresses; another has his own; who need not log in counts by
    address."""
    origin = t.origin(ORIGIN)
    larder = proxy(t, origin, "bandwidth 400K/s key=user;", workers=4)
    began = time.monotonic()
    anna = [Meter(larder, url(origin, "/big"), source, ANNA).begin(4) for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4")]
    ben = Meter(larder, url(origin, "/big"), "127.0.0.2", BEN).begin(4)
    nobody = Meter(larder, url(origin, "/big"), "127.0.1.2").begin(4)
    got = sum(meter.end() for meter in anna)
    paced(got, 400 * 1024, time.monotonic() - began, "anna")
    for meter, name in ((ben, "ben"), (nobody, "nobody")):
        paced(meter.end(), 400 * 1024, meter.took, name)
        assert meter.count > got / 2, (name, meter.count, got, "shares with anna")


def test_quota_by_user(t):
    """Wherever she comes from; kept over a restart; the others go on."""
    origin = t.origin(ORIGIN)
    larder = proxy(t, origin, "quota 1M per=month key=user;")
    larder.fetch(url(origin, "/big"), headers=ANNA, source="127.0.0.2")
    for source in ("127.0.0.2", "127.0.0.3"):
        same(get(larder, origin, ANNA, source), 403)
        same(get(larder, origin, BEN, source), 200)
    same(get(larder, origin, source="127.0.1.5"), 200)
    larder.restart()
    same(get(larder, origin, ANNA), 403)
    same(get(larder, origin, BEN), 200)
    wanted = {("user", "anna"), ("user", "ben"), ("client", "127.0.1.5")}
    wait_for(lambda: {(i["key"], i["who"]) for i in larder.api("/api/v1/access/quotas")[1]["items"]} == wanted, 10, "accounts")


def test_requests_by_user(t):
    """limit requests and limit concurrent, in the block and in rules."""
    gate = threading.Event()

    def held(conn, request):
        gate.wait(60)
        reply(b"slow")(conn, request)
    origin = t.origin({**ORIGIN, "/slow": held})
    larder = proxy(t, origin, """limit requests 1/m burst=4 key=user;
        rule path /slow* { limit concurrent 1 key=user; }""")
    same([get(larder, origin, ANNA, f"127.0.0.{i}") for i in range(2, 8)], [200] * 4 + [429] * 2)
    same(get(larder, origin, BEN), 200)
    with larder.client() as client:
        client.request(url(origin, "/slow?1"), headers=BEN)
        wait_for(lambda: origin.count("/slow") == 1, 5, "the first")
        same(larder.fetch(url(origin, "/slow?2"), headers=BEN, source="127.0.0.9").status, 503)
        gate.set()
        same(client.read_response().status, 200)


def test_connections_by_user(t):
    """A connection is that of whom its last request was by."""
    origin = t.origin(ORIGIN)
    larder = proxy(t, origin, "limit connections 2 key=user;", workers=3)

    def opened(who, source):
        client = larder.client(source=source)
        client.request(url(origin, "/small"), headers=who)
        return client, client.read_response().status
    kept = [opened(ANNA, "127.0.0.2"), opened(ANNA, "127.0.0.3")]
    same([status for _, status in kept], [200, 200])
    same(opened(ANNA, "127.0.0.4")[1], 503)
    ben = opened(BEN, "127.0.0.2")
    same(ben[1], 200)
    first = kept[0][0]
    first.request(url(origin, "/small"), headers=BEN)
    same(first.read_response().status, 200)
    same(opened(BEN, "127.0.0.9")[1], 503)
    again = opened(ANNA, "127.0.0.4")
    same(again[1], 200)
    for client, _ in [*kept, ben, again]:
        client.close()
