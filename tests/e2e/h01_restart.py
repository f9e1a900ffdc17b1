"""What is stored outlives restarts and kill -9, and never a wrong byte."""
import os
import random
import threading
import time

from case import Skip, content, reply, same, same_body, slow, wait_for

SIZES = [0, 1, 500, 4096, 65536, 100_001, 262_144, 262_145, 700_000]


def size_of(target):
    return SIZES[sum(target.encode()) % len(SIZES)]


def function_origin(t, cache="max-age=100000"):
    """Every URL has one right body."""
    return t.origin(default=lambda conn, request: reply(content(request.target, size_of(request.target)), cache=cache,
                                                        etag='"1"')(conn, request))


def check_all(larder, targets, hit_list=None):
    """Every answer right; returns how many were hits, and adds them to hit_list."""
    hits = 0
    with larder.client() as client:
        for target in targets:
            client.request(target)
            response = client.read_response()
            same(response.status, 200, target)
            same_body(response, content(target, size_of(target)))
            hits += response.is_hit
            if response.is_hit and hit_list is not None:
                hit_list.append(target)
    return hits


def test_restart_keeps_everything(t):
    origin = function_origin(t)
    larder = t.larder(origin)
    targets = [f"/r/{number}" for number in range(200)]
    check_all(larder, targets)
    asked = origin.count()
    before = larder.fetch(targets[0])
    larder.restart()
    same(check_all(larder, targets), 200, "hits after a clean restart")
    same(origin.count(), asked)
    after = larder.fetch(targets[0])
    same([field for field in after.headers if field[0] not in ("Age", "Cache-Status", "Date")],
         [field for field in before.headers if field[0] not in ("Age", "Cache-Status", "Date")])
    assert after.age >= before.age


def test_kill_keeps_what_was_flushed(t):
    origin = function_origin(t)
    larder = t.larder(origin)
    targets = [f"/k/{number}" for number in range(200)]
    check_all(larder, targets)
    larder.all_written()
    larder.kill()
    larder.start()
    same(check_all(larder, targets), 200, "hits of what was flushed")


@slow(240)
def test_kill_loop(t):
    """kill -9 at any moment under load: no wrong byte, and nearly all of what was flushed is still there. When something
    is flushed is seen in a pause of the load, not reckoned by the clock."""
    origin = function_origin(t)
    larder = t.larder(origin, start=False, size="4G")
    chance = random.Random(11)
    known = set()  # whose answer was complete, in this turn
    survivors = []  # hits after an earlier kill: they must outlive all later ones
    lock = threading.Lock()
    errors = []
    load = threading.Event()

    def visit(stop, seed):
        mine = random.Random(seed)
        while not stop.is_set():
            load.wait()
            target = f"/loop/{mine.randrange(6000)}"
            try:
                response = larder.fetch(target, timeout=10)
            except (OSError, AssertionError):
                continue  # the daemon was killed under us
            if not response.complete:
                continue
            try:
                same(response.status, 200, target)
                same_body(response, content(target, size_of(target)))
            except AssertionError as error:
                errors.append(error)
                return
            with lock:
                known.add(target)
            time.sleep(0.02)
    for turn in range(5):
        larder.start()
        load.set()
        stop = threading.Event()
        threads = [threading.Thread(target=visit, args=(stop, turn * 10 + n)) for n in range(4)]
        for thread in threads:
            thread.start()
        wait_for(lambda: errors or len(known) > 60, 40, f"turn {turn}: the load on 60 objects")
        load.clear()
        with lock:
            old = sorted(known)
        larder.all_written()
        load.set()
        time.sleep(chance.uniform(0.5, 2.0))
        larder.process.kill()
        stop.set()
        for thread in threads:
            thread.join()
        larder.process.wait()
        larder.process = None
        assert not errors, errors[0]
        larder.judge()
        larder.start()
        known.clear()
        for what, targets in (("flushed in this turn", old), ("that outlived earlier kills", survivors)):
            targets = chance.sample(targets, min(200, len(targets)))
            kept = []
            check_all(larder, targets, kept)
            assert len(kept) >= 0.95 * len(targets), f"turn {turn}: {len(kept)} of {len(targets)} objects {what} are hits"
            survivors += kept
        survivors = sorted(set(survivors))
        larder.kill()


def test_kill_while_an_object_is_coming_in(t):
    """Half an object is never shown as a whole one."""
    gate = threading.Event()
    body = content("/half", 3_000_000)

    def behave(conn, request):
        from case import head
        conn.send(head(200, [("Cache-Control", "max-age=600"), ("Content-Length", str(len(body)))]) + body[:2_000_000])
        gate.wait(20)
    origin = t.origin({"/half": behave})
    larder = t.larder(origin)
    with larder.client() as client:
        client.request("/half")
        client.read_head()
        time.sleep(1.5)  # what has come is on disk, as far as it ever gets there
        larder.kill()
    gate.set()
    origin.routes["/half"] = reply(body, cache="max-age=600")
    larder.start()
    same_body(larder.fetch("/half"), body)


def store_files(larder, ending):
    found = []
    for folder, _, names in os.walk(larder.store_path):
        found += [os.path.join(folder, name) for name in names if name.endswith(ending)]
    return sorted(found)


def fill_to_disk(t, larder, count=300):
    targets = [f"/d/{number}" for number in range(count)]
    check_all(larder, targets)
    larder.all_written()
    larder.stop()
    files = store_files(larder, ".sst")
    assert files, f"no SST files under {larder.store_path}"
    return targets, files


def test_flipped_bytes_are_a_miss(t):
    origin = function_origin(t)
    larder = t.larder(origin)
    targets, files = fill_to_disk(t, larder)
    chance = random.Random(3)
    for path in files:
        size = os.path.getsize(path)
        with open(path, "r+b") as data:
            for at in range(2000, max(2001, size - 2000), 50_000):
                at += chance.randrange(1000)
                data.seek(at)
                byte = data.read(1)
                data.seek(at)
                data.write(bytes([byte[0] ^ 0x55 if byte else 0]))
    asked = origin.count()
    larder.start()
    check_all(larder, targets)
    assert origin.count() > asked, "nothing was damaged: this test proves nothing"
    check_all(larder, targets)


def test_truncated_and_missing_files(t):
    origin = function_origin(t)
    larder = t.larder(origin)
    targets, files = fill_to_disk(t, larder)
    for number, path in enumerate(files):
        if number % 2:
            os.unlink(path)
        else:
            os.truncate(path, os.path.getsize(path) // 2)
    larder.start()
    check_all(larder, targets)
    check_all(larder, targets)


def test_store_that_cannot_be_opened(t):
    """Never refuse to serve because of the cache."""
    origin = function_origin(t)
    for damage in ("CURRENT", "MANIFEST", "everything"):
        larder = t.larder(origin)
        targets, _ = fill_to_disk(t, larder, 40)
        touched = 0
        for folder, _, names in os.walk(larder.store_path):
            for name in names:
                if name.startswith(damage) or damage == "everything":
                    with open(os.path.join(folder, name), "wb") as out:
                        out.write(b"garbage " * 50)
                    touched += 1
        assert touched, f"no {damage} file to damage"
        larder.start()
        check_all(larder, targets)
        assert check_all(larder, targets) >= 39, "the new store does not store"
        larder.stop()


def test_a_second_larder_leaves_the_store_alone(t):
    """It ends with a message; the first one's store is neither moved aside nor lost."""
    origin = function_origin(t)
    larder, second = t.larder(origin), t.larder(origin, start=False)
    targets = [f"/r/{number}" for number in range(40)]
    check_all(larder, targets)
    second.store_path = larder.store_path
    second.write_config()
    second.start(wait=False)
    same(second.wait(), 1, "exit status")
    second.process = None
    words = f"the store folder {larder.store_path} is in use by process {larder.process.pid}"
    assert words in second.output(), second.output()
    same([name for name in os.listdir(larder.store_path) if name.startswith("quarantine")], [])
    larder.restart()
    same(check_all(larder, targets), 40, "hits after a restart")


def test_a_second_larder_on_the_same_state_folder(t):
    """It ends with a message that names folder and process; what a killed one left behind hinders nobody."""
    larder, second = t.larder(t.origin()), t.larder(t.origin(), start=False)
    second.write_config(second.config().replace(f"state_dir {second.folder}/state", f"state_dir {larder.folder}/state"))
    for _ in range(2):
        second.start(wait=False)
        same(second.wait(), 1, "exit status")
        second.process = None
        words = f"the state folder {larder.folder}/state is in use by process {larder.process.pid}; stop it"
        assert words in second.output(), second.output()
        larder.restart()
    larder.kill()
    larder.start()
    larder.stop()
    second.start()


@slow(180)
def test_disk_stays_under_its_size(t):
    """Sampled while it fills to four times its size, and again with objects of all sizes."""
    limit = 64 << 20
    origin = t.origin(default=lambda conn, request: reply(content(request.target, int(request.target.split("/")[2])),
                                                          cache="max-age=100000")(conn, request))
    larder = t.larder(origin, size="64M", memory="16M")
    stop = threading.Event()
    samples = []

    def watch():
        while not stop.is_set():
            samples.append(larder.disk_bytes())
            time.sleep(0.02)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with larder.client() as client:
            for number in range(900):
                size = (200_000, 3_000, 1_000_000)[number % 3] if number >= 600 else 262_144
                client.request(f"/w/{size}/{number}")
                response = client.read_response()
                same(response.status, 200)
                same(len(response.body), size)
            larder.all_written()
            recent = 0
            for number in range(880, 900):
                size = (200_000, 3_000, 1_000_000)[number % 3]
                client.request(f"/w/{size}/{number}")
                response = client.read_response()
                same_body(response, content(f"/w/{size}/{number}", size))
                recent += response.is_hit
    finally:
        stop.set()
        watcher.join()
    assert max(samples) <= limit, f"{max(samples)} bytes on disk, allowed {limit}"
    assert max(samples) > limit // 4, f"only {max(samples)} bytes were ever used"
    assert recent >= 10, f"only {recent} of the 20 newest objects are kept"


@slow(120)
def test_full_disk_keeps_serving(t):
    """A file system smaller than the store's size: answers stay right, and storing goes on when there is room again."""
    import subprocess
    place = os.path.join(t.folder, "small")
    os.mkdir(place)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24M", "tmpfs", place], capture_output=True, check=False)
    if mounted.returncode != 0:
        raise Skip("cannot mount a small file system here")
    t.undo.append(lambda: subprocess.run(["umount", "-l", place], check=False))
    origin = t.origin(default=lambda conn, request: reply(content(request.target, 100_000), cache="max-age=100000")
                      (conn, request))
    larder = t.larder(origin, size="256M", memory="16M", store_path=os.path.join(place, "store"))
    with larder.client() as client:
        for number in range(700):
            client.request(f"/full/{number}")
            response = client.read_response()
            same(response.status, 200)
            same_body(response, content(f"/full/{number}", 100_000))
        assert larder.alive()
        for number in range(0, 700, 7):
            client.request(f"/full/{number}")
            same_body(client.read_response(), content(f"/full/{number}", 100_000))
    subprocess.run(["mount", "-o", "remount,size=400M", place], check=True)
    wait_for(lambda: larder.fetch("/again").status == 200, what="an answer")
    larder.restart()
    same_body(larder.fetch("/full/1"), content("/full/1", 100_000))


def test_memory_tier_evicts_to_disk(t):
    """More than the RAM tier holds: all of it is served from disk, right."""
    origin = t.origin(default=lambda conn, request: reply(content(request.target, 200_000), cache="max-age=100000")
                      (conn, request))
    larder = t.larder(origin, memory="16M", size="512M")
    for load in range(2):
        hits = 0
        with larder.client() as client:
            for number in range(400):
                client.request(f"/e/{number}")
                response = client.read_response()
                same_body(response, content(f"/e/{number}", 200_000))
                hits += response.is_hit
        larder.all_written()
    dropped = int(larder.metrics()["larder_store_not_written_total"])
    assert hits >= 400 - dropped, f"{hits} hits of 400 in 80 MB with 16 MB of memory, {dropped} said to be dropped"
    assert dropped <= 200, f"{dropped} of 400 objects were dropped before they were written"
    same(origin.count(), 800 - hits)


def test_reads_from_disk_in_parallel(t):
    origin = t.origin(default=lambda conn, request: reply(content(request.target, 300_000), cache="max-age=100000")
                      (conn, request))
    larder = t.larder(origin)
    for number in range(60):
        larder.fetch(f"/e/{number}")
    larder.write_config(memory="16M")
    larder.restart()
    errors = []

    def visit(seed):
        mine = random.Random(seed)
        try:
            with larder.client() as client:
                for _ in range(60):
                    target = f"/e/{mine.randrange(60)}"
                    client.request(target)
                    response = client.read_response()
                    same_body(response, content(target, 300_000))
                    assert response.is_hit, target
        except AssertionError as error:
            errors.append(error)
    threads = [threading.Thread(target=visit, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]
    same(origin.count(), 60)


def test_variants_survive(t):
    origin = t.origin({"/v": reply(lambda request: request.get("X-V", "none"), cache="max-age=600",
                                   headers=[("Vary", "X-V")])})
    larder = t.larder(origin)
    for value in "abc":
        larder.fetch("/v", headers=[("X-V", value)])
    larder.restart()
    for value in "abc":
        response = larder.fetch("/v", headers=[("X-V", value)])
        same((response.body.decode(), response.is_hit), (value, True))
    same(larder.fetch("/v").body, b"none")


def test_replaced_objects_stay_replaced(t):
    """After a crash an older version must not come back over a newer one."""
    state = {"v": 0}
    origin = t.origin({"/x": reply(lambda request: f"version {state['v']}", cache="max-age=600"),
                       "/mark": reply("written after the rest", cache="max-age=600")})
    larder = t.larder(origin)
    for _ in range(5):
        state["v"] += 1
        larder.fetch("/x", headers=[("Cache-Control", "no-cache")])
    larder.all_written()
    larder.kill()
    larder.start()
    response = larder.fetch("/x")
    same(response.body, b"version 5")
    larder.fetch("/x", "POST", body=b"x")
    larder.fetch("/mark")  # what has no body is in no figure, but in the same queue
    larder.all_written()
    larder.kill()
    state["v"] = 6
    larder.start()
    same(larder.fetch("/x").body, b"version 6", "an invalidated response came back after a crash")
