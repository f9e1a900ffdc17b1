"""Three nginx of Debian behind one pool: killed, stopped, hanging, all dead and back, while clients run."""
import signal
import threading
import time

from case import content, same, same_body, slow, wait_for
from p20_retries import before

FILE = content("/file.bin", 20_000)
# Who answers says so; what may be kept differs.
LOCATIONS = """
    add_header X-Who NAME;
    location /live { expires off; add_header Cache-Control no-store; add_header X-Who NAME; return 200 "$request_uri"; }
    location /page { return 200 "$request_uri"; }
    location /soon { expires 1s; return 200 "$request_uri"; }
    location /ok { access_log off; return 200 "fine"; }
"""
SETTINGS = ("check GET /ok every=1s timeout=3s rise=1 fall=1; eject time=1s max_time=1s; "
            "retry 2 on=connect,reset,timeout budget=100%;")
TIMEOUTS = "connect=3s first_byte=3s idle=20s"


def three(t):
    origins = t.nginxes(3, {"file.bin": FILE}, LOCATIONS)
    larder = before(t, origins, SETTINGS, timeouts=TIMEOUTS)
    wait_for(lambda: shares(larder) == 3, 10, "that all three are asked")
    return origins, larder


def shares(larder):
    return sum(value for name, value in larder.metrics().items() if name.startswith("larder_origin_pool_up{"))


class Load:
    """Eight clients on kept connections, some 500 GETs a second: never stored, new to the cache, hot, and a file."""

    def __init__(self, larder):
        self.larder = larder
        self.over, self.lock = threading.Event(), threading.Lock()
        self.gets = self.hits = 0
        self.failed, self.who = [], {}
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(8)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        client, turn = None, 0
        while not self.over.wait(0.01):
            turn += 1
            target = (f"/live?{number}-{turn}", f"/page?{number}-{turn}", f"/page?hot{turn % 10}",
                      f"/file.bin?{number}-{turn}")[turn % 4]
            wanted = FILE if target.startswith("/file") else target.encode()
            try:
                client = client or self.larder.client()
                client.request(target)
                response = client.read_response()
                good = response.status == 200 and response.complete and response.body == wanted
                what = f"{response.raw_head!r} {response.body[:60]!r}"
                if not response.complete or response.get("Connection") == "close":
                    client.close()
                    client = None
            except (OSError, AssertionError) as error:
                good, what, client = False, repr(error), None
            with self.lock:
                self.gets += 1
                if not good:
                    self.failed.append((target, what))
                elif response.is_hit:
                    self.hits += 1
                else:
                    self.who[response.get("X-Who")] = self.who.get(response.get("X-Who"), 0) + 1
        if client:
            client.close()

    def go_on(self, seconds):
        """For so long, and until they have got something."""
        done = self.gets
        time.sleep(seconds)
        wait_for(lambda: self.gets > done + 50, 40, "more GETs")

    def forget(self):
        with self.lock:
            self.who.clear()

    def is_shared(self, what):
        """All three are asked again, one as much as another."""
        self.forget()
        wait_for(lambda: len(self.who) == 3, 20, f"{what}: the third is asked")
        self.forget()
        wait_for(lambda: sum(self.who.values()) >= 450, 60, f"{what}: 450 answers of origins")
        with self.lock:
            counts = dict(self.who)
        assert min(counts.values()) >= 0.22 * sum(counts.values()) and len(counts) == 3, (what, counts)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        return self


@slow(180)
def test_killed_stopped_and_hanging(t):
    """One after another: not one GET fails, and the shares come back."""
    origins, larder = three(t)
    load = Load(larder)
    load.is_shared("at first")
    for number, (what, go, come) in enumerate([
            ("kill -9", origins[0].kill, origins[0].start),
            ("nginx -s stop", origins[1].stop, origins[1].start),
            ("SIGSTOP", lambda: origins[2].signal(signal.SIGSTOP), lambda: origins[2].signal(signal.SIGCONT))]):
        go()
        load.go_on(3)
        wait_for(lambda: shares(larder) == 2, 20, f"{what}: it is known to be away")
        load.forget()
        load.go_on(0.5)
        wait_for(lambda: len(load.who) >= 2, 20, f"{what}: both others are asked")
        same(sorted(load.who), sorted({"s0", "s1", "s2"} - {f"s{number}"}), what)
        come()
        wait_for(lambda: shares(larder) == 3, 10, f"{what}: it is known to be back")
        load.is_shared(what)
        same(load.failed[:3], [], f"{what}: of {load.gets}")
    load.end()
    same(load.failed, [], f"of {load.gets}")
    assert load.gets > 1800 and load.hits > 200, (load.gets, load.hits)


@slow(120)
def test_all_three_are_dead(t):
    """What is cached goes on, stale and said to be so; the rest is told at once; one that comes back is noticed."""
    origins, larder = three(t)
    for target in ("/soon", "/page"):
        same(larder.fetch(target).status, 200)
    same_body(larder.fetch("/file.bin"), FILE)
    time.sleep(2.1)
    for origin in origins:
        origin.kill()
    wait_for(lambda: shares(larder) == 0, 10, "that all are known to be down")
    for _ in range(5):
        stale = larder.fetch("/soon")
        same((stale.status, stale.body, stale.is_hit), (200, b"/soon", True))
        assert "ttl=-" in stale.cache_status, stale.cache_status
        fresh = larder.fetch("/page")
        same((fresh.status, fresh.is_hit, "ttl=-" in fresh.cache_status), (200, True, False), fresh.cache_status)
        same_body(larder.fetch("/file.bin"), FILE)
    with larder.client() as client:
        for number in range(50):
            client.request(f"/live?{number}")
            response = client.read_response()
            same((response.status, response.get("Retry-After")), (503, "1"))
    assert larder.metrics()['larder_unasked_total{reason="origin_down"}'] >= 50, "somebody waited"
    origins[1].start()
    wait_for(lambda: larder.fetch("/live").status == 200, 15, "recovery")
    assert 'server=s1 from=down to=up reason="1 check passed' in larder.output(), larder.output()
    wait_for(lambda: not larder.fetch("/soon").cache_status.count("ttl=-"), 5, "a fresh one")
    same(larder.fetch("/live?again").get("X-Who"), "s1")
