"""Large objects that are hit often are sent from a file in memory: the same bytes to everybody, whatever becomes of it."""
import functools
import hashlib
import os
import threading

from case import Skip, reply, same, same_body, wait_for

LENGTH = 5_300_000  # two huge pages and a rest


@functools.lru_cache(maxsize=None)
def body_of(target, length=LENGTH):
    """No stretch of it is like another."""
    mark = hashlib.sha256(target.encode()).hexdigest()[:8]
    return "".join(f"{mark}{at:>8d}" for at in range(0, length + 16, 16)).encode()[:length]


def answer(target, length=LENGTH, **words):
    return reply(body_of(target, length), cache="max-age=600", etag=f'"{target}"', **words)


def files(larder):
    return int(larder.metrics()["larder_store_memory_files"])


def settled(larder, target, body):
    """Hits it until it has moved. Where the kernel has no huge pages for files nothing ever does: nothing to test."""
    before = files(larder)
    for _ in range(64):
        same_body(larder.fetch(target), body)
        if files(larder) > before:
            return
    if tuple(int(word) for word in os.uname().release.split(".")[:2]) >= (6, 1):
        raise AssertionError("hit 64 times, and not moved")
    raise Skip("the kernel has no huge pages for files")


def from_files(larder, target, headers=()):
    """How many bytes of an answer the daemon sent from a file: sendfile counts as reading, sockets do not."""
    def read():
        with open(f"/proc/{larder.process.pid}/io", encoding="ascii") as io:
            return int(io.readline().split()[1])
    before = read()
    larder.fetch(target, headers=headers)
    return read() - before


def start(t, *targets, **words):
    origin = t.origin({target: answer(target) for target in targets})
    larder = t.larder(origin, **words)
    for target in targets[:1]:
        same_body(larder.fetch(target), body_of(target))
    larder.all_written()
    return larder, origin


def test_everybody_gets_the_same_bytes(t):
    larder, origin = start(t, "/a")
    body = body_of("/a")
    settled(larder, "/a", body)
    same(files(larder), 1)
    whole = larder.fetch("/a")
    assert whole.is_hit, whole
    same(whole.get("Content-Length"), str(LENGTH))
    old = larder.fetch("/a", version="HTTP/1.0")
    same_body(old, body)
    same(larder.fetch("/a", method="HEAD").get("Content-Length"), str(LENGTH))
    same(larder.fetch("/a", headers=[("If-None-Match", '"/a"')]).status, 304)
    for first, last in ((0, LENGTH - 1), (1, 40_000), (2_097_151, 2_097_152), (4_000_001, LENGTH - 1), (0, 16_384),
                        (100_000, 1_100_000)):
        part = larder.fetch("/a", headers=[("Range", f"bytes={first}-{last}")])
        same((part.status, part.get("Content-Range")), (206, f"bytes {first}-{last}/{LENGTH}"))
        same_body(part, body[first:last + 1])
    parts = larder.fetch("/a", headers=[("Range", "bytes=100000-400000,2000000-2300000")])
    same(parts.status, 206)
    assert body[100000:400001] in parts.body and body[2000000:2300001] in parts.body
    with larder.client() as client:  # one behind the other, asked for before the first is read
        for _ in range(3):
            client.request("/a")
        for _ in range(3):
            same_body(client.read_response(), body)
        client.request("/a", headers=[("Range", "bytes=7-7")])
        same_body(client.read_response(), body[7:8])
    same(origin.count(), 1)
    sizes = [record["bytes"] for record in larder.access_records() if record["status"] == 200
             and record["method"] == "GET"]
    assert all(size > LENGTH for size in sizes), sizes


def test_what_leaves_without_a_copy(t):
    """Nearly all of a long answer. Nothing of a short one: the kernel would hold a huge page for it."""
    larder, _origin = start(t, "/a")
    copied = from_files(larder, "/a")
    assert copied < 200_000, copied
    settled(larder, "/a", body_of("/a"))
    whole = from_files(larder, "/a")
    assert LENGTH - 600_000 < whole < LENGTH - 400_000, whole
    part = from_files(larder, "/a", [("Range", "bytes=100000-600000")])
    assert part < 200_000, part


def test_a_purge_while_it_is_sent(t):
    larder, origin = start(t, "/a")
    body = body_of("/a")
    settled(larder, "/a", body)
    with larder.client(receive_buffer=8192) as slow_one:
        slow_one.request("/a")
        head = slow_one.read_head()
        same(head.get("Content-Length"), str(LENGTH))
        same(larder.purge(larder.url("/a"))["matched"], 1)
        same(files(larder), 1)  # it is still being sent
        slow_one.read_body(head)
        same_body(head, body)
    wait_for(lambda: files(larder) == 0, 20, "the file to go")
    same(origin.count(), 1)
    again = larder.fetch("/a")
    assert not again.is_hit, again
    same_body(again, body)


def test_memory_is_used_again_while_it_is_sent(t):
    """Slow readers are half way when others push the object out of memory, and it has gone when they go on."""
    targets = ["/a"] + [f"/b{i}" for i in range(14)]
    larder, _origin = start(t, *targets, memory="48M")
    body = body_of("/a")
    settled(larder, "/a", body)
    slow_ones = []
    for _ in range(4):
        client = larder.client(receive_buffer=8192)
        client.request("/a")
        slow_ones.append((client, client.read_head()))
    for target in targets[1:]:
        for _ in range(2):
            same_body(larder.fetch(target), body_of(target))
    for client, head in slow_ones:
        client.read_body(head)
        same_body(head, body)
        client.close()
    assert larder.metrics()['larder_store_bytes{tier="memory"}'] <= 48 << 20
    same_body(larder.fetch("/a"), body)


def test_many_at_a_time(t):
    """Clients that read, cut and ask for parts while objects are settled, purged and fetched anew."""
    targets = [f"/m{i}" for i in range(4)]
    larder, _origin = start(t, *targets)
    bodies = {target: body_of(target) for target in targets}
    wrong = []
    stop = threading.Event()

    def ask(number):
        turn = number
        while not stop.is_set():
            turn += 1
            target = targets[turn % len(targets)]
            body = bodies[target]
            try:
                with larder.client() as client:
                    if turn % 3 == 0:
                        first = turn * 7919 % (LENGTH - 300_000)
                        client.request(target, headers=[("Range", f"bytes={first}-{first + 299_999}")])
                        body = body[first:first + 300_000]
                    else:
                        client.request(target)
                    if turn % 7 == 0:
                        client.read_head()
                        continue  # and cut
                    response = client.read_response()
                    if response.status not in (200, 206) or (response.body != body and response.status != 200) or (
                            response.status == 200 and response.body != bodies[target]):
                        wrong.append((target, turn, response))
            except Exception as error:  # pylint: disable=broad-except
                wrong.append((target, turn, error))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for turn in range(12):
        stop.wait(0.4)
        larder.purge(larder.url(targets[turn % len(targets)]))
    stop.set()
    for thread in threads:
        thread.join()
    same(wrong, [])


def test_after_a_kill(t):
    larder, origin = start(t, "/a")
    body = body_of("/a")
    settled(larder, "/a", body)
    larder.kill()
    larder.start()
    response = larder.fetch("/a")
    assert response.is_hit, response
    same_body(response, body)
    settled(larder, "/a", body)
    same(origin.count(), 1)
