"""Quotas of a forward proxy: what counts, what happens when they are used up, and that accounts outlive the process."""
import os
import threading
import time

from case import content, reply, same, wait_for
from paced import Meter, forward, paced, text, url

MIB = 1 << 20
BIG = content("/big", 8 * MIB)
SMALL = content("/small", 1000)
ORIGIN = {"/big": reply(BIG, cache="max-age=600"), "/small": reply(SMALL, cache="max-age=600"),
          "/up": lambda conn, request: reply(str(len(request.body)))(conn, request)}
ME, OTHER = "127.0.0.2", "127.0.0.3"


def quota_lines(larder):
    path = os.path.join(larder.folder, "state", "quotas")
    if not os.path.exists(path):
        return None
    with open(path, encoding="ascii") as data:
        return data.read().splitlines()


def account(larder, who):
    """(down, up) as the file has it."""
    for line in quota_lines(larder) or []:
        words = line.split(" ")
        if len(words) == 8 and words[4] == who:
            return int(words[6]), int(words[7])
    return None


def small(larder, origin, source=ME):
    return larder.fetch(url(origin, "/small"), source=source).status


def test_used_up_by_a_download(t):
    """The download that uses it up ends at the limit, to the byte; then all is refused and told why, over all workers;
    another client has its own; the reason stands in the log."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "quota 2M per=month key=client;", workers=3)
    same(len(larder.fetch(url(origin, "/big"), source=OTHER).body) < len(BIG), True)
    with larder.client(source=ME) as client:
        client.request(url(origin, "/big"))
        head = client.read_head()
        body = client.read_some(len(BIG))
        got = len(head.raw_head) + 4 + len(body)
        same(head.status, 200)
        assert 2 * MIB <= got <= 2 * MIB + 1000, got
        assert BIG.startswith(body) and client.ended
    for _ in range(4):
        answer = larder.fetch(url(origin, "/small"), source=ME)
        same((answer.status, answer.get("Cache-Control")), (403, "no-store"))
        wait = int(answer.get("Retry-After"))
        assert 1 <= wait <= 31 * 86400 + 3600, wait
        body = answer.body.decode()
        assert 'The quota "month_client" of this month is used up: 2.0 MiB of 2.0 MiB; it begins anew at 20' in body, body
    page = larder.fetch(url(origin, "/small"), source=ME, headers=[("Accept", "text/html")])
    same((page.status, page.get("Content-Type")), (403, "text/html; charset=utf-8"))
    assert b"The quota &#34;month_client&#34; of this month is used up" in page.body and b"Rule" not in page.body, page.body
    same(small(larder, origin, "127.0.0.4"), 200)
    wait_for(lambda: larder.metrics()["larder_quota_accounts"] == 3, 10, "three accounts")
    same(larder.metrics()['larder_quota_refused_total{site="forward:office",quota="month_client"}'], 5)
    records = wait_for(lambda: larder.access_records()[7:] and larder.access_records(), 5, "the log")
    refused = [r for r in records if r["status"] == 403]
    same([(r["result"], r["reason"]) for r in refused], [("denied", "quota")] * 5)
    same([r["reason"] for r in records if r["path"].endswith("/big")], ["quota"] * 2)


def test_what_counts(t):
    """down: responses with their heads; up: content of requests; both: all. Refusals are not counted."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, """quota 1M per=day count=up key=client name=up; quota 2M per=hour count=down name=down;
        quota 500M per=week name=all key=forward;""")
    for _ in range(10):
        same(small(larder, origin), 200)
    same(larder.fetch(url(origin, "/up"), "POST", body=BIG[:300000], source=ME).status, 200)
    same(larder.fetch(url(origin, "/up"), "POST", body=BIG[:300000], source=OTHER).status, 200)
    larder.stop()
    rows = {tuple(line.split(" ")[:5]): [int(n) for n in line.split(" ")[6:]] for line in quota_lines(larder)[1:-1]}
    site = "forward:office"
    for key in [(site, "up", "day", "client", ME), (site, "down", "hour", "client", ME)]:
        down, up = rows[key]
        same(up, 300000)
        assert 11000 <= down <= 18000, down
    down, up = rows[(site, "all", "week", "all", "-")]
    same(up, 600000)
    larder.start()
    with larder.client(source=ME) as client:
        client.request(url(origin, "/up"), "POST", body=BIG[:900000])
        answer = client.read_response()
    same(answer.status, 403, "it is used up in the middle of an upload")
    assert b'The quota "up" of this day is used up' in answer.body, answer.body
    same(small(larder, origin), 403)
    same(small(larder, origin, OTHER), 200)


def test_kept_over_kill_and_restart(t):
    """What has moved is in the file within seconds while it moves, and is there after kill -9; a stop keeps the rest."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "quota 6M per=month key=client; bandwidth 300K/s down;")
    meter = Meter(larder, url(origin, "/big"), ME).begin(100)
    end, looked = time.monotonic() + 40, time.monotonic()
    while not (account(larder, ME) or (0, 0))[0] > 300 * 1024:
        assert time.monotonic() < end, quota_lines(larder)
        looked = time.monotonic()
        time.sleep(0.1)
    larder.kill()
    lost = time.monotonic() - looked  # the file was written since then
    meter.thread.join()
    seen = meter.count
    meter.client.close()
    kept = account(larder, ME)[0]
    assert seen - lost * 300 * 1024 - 100 * 1024 <= kept <= seen + 200 * 1024, (kept, seen, lost)
    larder.write_config(sites=text("quota 6M per=month key=client;"))
    larder.start()
    got = len(larder.fetch(url(origin, "/big"), source=ME).body)
    assert abs(got + kept - 6 * MIB) < 2000, (got, kept)
    same(small(larder, origin), 403)
    larder.restart()
    same(small(larder, origin), 403)
    same(small(larder, origin, OTHER), 200)


def test_damaged_file(t):
    """It is put aside with a warning, and the accounts begin at 0; so is one that is no file."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "quota 1M per=month;")
    larder.fetch(url(origin, "/big"), source=ME)
    same(small(larder, origin), 403)
    larder.stop()
    path = os.path.join(larder.folder, "state", "quotas")
    with open(path, "rb") as data:
        good = data.read()
    same(oct(os.stat(path).st_mode & 0o777), "0o600")
    for bad in (good[:-3], good.replace(b" client ", b" cliant "), good[:40] + b"\xff" + good[41:], b"", b"\n"):
        with open(path, "wb") as out:
            out.write(bad)
        larder.start()
        same(small(larder, origin), 200)
        wait_for(lambda: "quota_file_damaged" in larder.output(), 10, "the warning")
        with open(path + ".damaged", "rb") as data:
            same(data.read(), bad)
        os.unlink(path + ".damaged")
        larder.stop()
    for make in (os.mkfifo, lambda at: os.symlink(os.path.join(larder.folder, "larder.conf"), at)):
        if os.path.lexists(path):
            os.unlink(path)
        make(path)
        larder.start()
        same(small(larder, origin), 200)
        larder.stop()
        assert os.path.isfile(path) and not os.path.islink(path), make
    with open(path, "wb") as out:
        out.write(good)
    larder.start()
    same(small(larder, origin), 403)


def test_throttle(t):
    """When it is used up all goes on at the slower rate, which all connections of the account share; at once in the
    middle of a download."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "quota 1M per=week action=throttle:200K/s;", workers=2)
    first = Meter(larder, url(origin, "/big"), ME).begin(4)
    paced(first.end(), 200 * 1024, first.took, free=MIB + 65536)
    began = time.monotonic()
    meters = [Meter(larder, url(origin, "/big"), ME).begin(4) for _ in range(2)]
    got = [meter.end() for meter in meters]
    paced(sum(got), 200 * 1024, time.monotonic() - began)
    same(len(larder.fetch(url(origin, "/small"), source=OTHER).body), len(SMALL))
    assert larder.metrics()['larder_bandwidth_waits_total{site="forward:office",limit="quota:week_client"}'] > 5


def test_reload_keeps_accounts_and_lowers_at_once(t):
    """By name: a lower limit cuts what is under way, a higher one lets in again; another name begins anew."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "quota 7M per=month name=q; bandwidth 300K/s;")
    meter = Meter(larder, url(origin, "/big"), ME).begin(100)
    wait_for(lambda: meter.count > 0, 10, "the first bytes")
    larder.write_config(sites=text("quota 2500K per=month name=q; bandwidth 300K/s;"))
    larder.command("reload", check=0)
    count = meter.end()
    assert 2400 * 1024 <= count <= 2600 * 1024, count
    same(small(larder, origin), 403)
    larder.write_config(sites=text("quota 2600K per=month name=q;"))
    larder.command("reload", check=0)
    same(small(larder, origin), 200)
    larder.write_config(sites=text("quota 1K per=month name=q;"))
    larder.command("reload", check=0)
    same(small(larder, origin), 403)
    larder.write_config(sites=text("quota 1K per=month name=other status=429;"))
    larder.command("reload", check=0)
    same(small(larder, origin), 200)
    same(small(larder, origin), 429)


def test_crossed_by_many_connections(t):
    """Eight connections over four workers use it up at the same time: it is passed by a turn of each at most."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "quota 12M per=day;", workers=4)
    same(len(larder.fetch(url(origin, "/big"), source=OTHER).body), len(BIG))
    counts = []

    def take():
        counts.append(len(larder.fetch(url(origin, "/big"), source=ME).body))
    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 12 * MIB - 8000 <= sum(counts) <= 12 * MIB + 8 * 65536, sum(counts)


def test_nothing_kept_without_quotas(t):
    """No file where there is no quota; what is over is left out of it."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "bandwidth 100M/s;")
    same(small(larder, origin), 200)
    larder.stop()
    same(quota_lines(larder), None)


def test_seen_and_reset_by_operators(t):
    """The list by API and command, those first that have used most; a reset lets in again, says who did it, and holds
    over kill -9."""
    origin = t.origin(ORIGIN)
    larder = forward(t, origin, "quota 1M per=month key=client; quota 100M per=day key=forward name=all;")
    larder.fetch(url(origin, "/big"), source=ME)
    same(small(larder, origin, OTHER), 200)
    same(small(larder, origin), 403)
    answer = wait_for(lambda: (lambda got: got if got["total"] == 3 else None)(
        larder.api("/api/v1/access/quotas?forward=office")[1]), 10, "three accounts")
    first = answer["items"][0]
    same([first[k] for k in ("forward", "name", "per", "key", "who", "limit_bytes")],
         ["office", "month_client", "month", "client", ME, MIB])
    assert MIB <= first["used_bytes"] <= MIB + 1000 and first["bytes_to_client"] == first["used_bytes"], first
    assert first["ends_at"] > "20", first
    same([(i["key"], i["who"]) for i in answer["items"][1:]], [("all", ""), ("client", OTHER)])
    same(larder.api("/api/v1/access/quotas?limit=0")[0], 400)
    text = larder.command("quota", check=0).stdout
    lines = text.splitlines()
    same(lines[0].split(), ["share", "used", "of", "quota", "begins", "anew", "account"])
    assert len(lines) == 4 and lines[1].endswith("  office/month_client/client:127.0.0.2"), text
    assert "1.0 MiB of 1.0 MiB" in lines[1] and lines[1].split()[0].startswith("100."), text
    assert lines[2].endswith("Z  office/all/all"), text
    same(larder.command("access", "quotas", check=0).stdout, text, "one list, by two names")
    few = larder.command("quota", "--limit", "1", "--forward", "office", check=0).stdout.splitlines()
    same(few[2:], ["and 2 more that have used less"])
    same(larder.command("quota", "reset", "office/month_client/client:127.0.0.77").returncode, 1)
    same(larder.command("quota", "reset", "month_client").returncode, 2)
    same(larder.api("/api/v1/access/quotas/reset", "POST", {"forward": "office", "name": "all"})[0], 422)
    wait_for(lambda: (account(larder, ME) or (0, 0))[0] >= MIB, 20, "it in the file")
    larder.command("quota", "reset", "office/month_client/client:127.0.0.2", check=0)
    wait_for(lambda: 'quota_reset quota=month_client key=client who="127.0.0.2" by=' in larder.output(), 10, "who did it")
    same(small(larder, origin), 200)
    larder.command("quota", "reset", "office/all/all", check=0)
    wait_for(lambda: (account(larder, ME) or (0, 0))[0] < 5000, 20, "the file")
    larder.kill()
    larder.start()
    same(small(larder, origin), 200)
    token = larder.admin("/api/v1/access/quotas/reset", "POST", body={})
    same(token.status, 401)
