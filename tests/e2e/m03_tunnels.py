"""Many tunnels at once, and what each takes of memory (the figure counts in a release build)."""
import os
import resource
import select
import socket
import threading
import time

from case import reply, same, settle, slow, wait_for

from tunnels import connect, forward, reset

def echo_all(listener, stop):
    """One thread that gives everything back on every connection."""
    poller = select.epoll()
    peers = {listener.fileno(): listener}
    listener.setblocking(False)
    poller.register(listener, select.EPOLLIN)
    while not stop.is_set():
        for fd, _ in poller.poll(0.1):
            if fd == listener.fileno():
                try:
                    while True:
                        peer, _ = listener.accept()
                        peers[peer.fileno()] = peer
                        poller.register(peer, select.EPOLLIN)
                except BlockingIOError:
                    continue
            try:
                data = peers[fd].recv(65536)
                if data:
                    peers[fd].sendall(data)
                    continue
            except OSError:
                pass
            poller.unregister(fd)
            peers.pop(fd).close()
    for peer in peers.values():
        peer.close()
    poller.close()

def many(t, count, lanes=10):
    """So many tunnels to an echo, opened by several threads. Returns (larder, clients, bytes for each)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * count + 2000), hard))
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    stop = threading.Event()
    server = threading.Thread(target=echo_all, args=(listener, stop))
    server.start()
    t.undo.append(lambda: (stop.set(), server.join()))
    port = listener.getsockname()[1]
    origin = t.origin({"/": reply(b"x" * 1000)})
    larder = forward(t, access="off", origin=origin, limits=f"drain 1s; connections {count + 1000};")
    # what the first ones bring along is no tunnel's
    for _ in range(300):
        connect(larder, port).close()
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 0, 20)
    before, clients, errors = larder.rss_bytes(), [], []

    def open_some():
        try:
            for _ in range(count // lanes):
                clients.append(connect(larder, port, timeout=60))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_some) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    same(len(clients), count)
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == count, 20)
    lowest = min(larder.rss_bytes() for _ in range(20) if not time.sleep(0.1))
    return larder, clients, (lowest - before) / count

def use_all(clients):
    """A message of its own through each, all on the way at once."""
    for number, client in enumerate(clients):
        client.send(b"message %06d" % number)
    for number, client in enumerate(clients):
        same(client.read_some(14), b"message %06d" % number)

@slow(240)
def test_thousand(t):
    """1,000 under the sanitizers: each carries its own bytes, half are reset, the rest end in order."""
    larder, clients, _ = many(t, 1000)
    use_all(clients)
    same(larder.fetch("/").status, 200)
    for number, client in enumerate(clients):
        reset(client.socket) if number % 2 else client.close()
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 0, 30)
    same(larder.metrics()["larder_tunnels_total"], 1300)

@slow(240)
def test_five_thousand(t):
    """5,000 idle tunnels take under 2 KiB each (900 bytes and what the allocator rounds up); all of them work, and pages are served beside them."""
    larder, clients, each = many(t, 1000 if t_is_sanitized() else 5000)
    print(f"# {len(clients)} tunnels: {each:.0f} bytes each")
    use_all(clients)
    for _ in range(5):
        same(larder.fetch("/").status, 200)
    if not larder.is_sanitized():
        assert each < 2048, each
        after = larder.rss_bytes()
        settle(1)
        use_all(clients)  # buffers are given back
        assert larder.rss_bytes() - after < 4 << 20
    for client in clients:
        client.close()
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 0, 30)

def t_is_sanitized():
    with open(os.environ["LARDER"], "rb") as data:
        text = data.read()
    return b"__asan_init" in text or b"__tsan_init" in text
