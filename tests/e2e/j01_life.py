"""Drain, reload, and what happens when descriptors run out."""
import os
import pwd
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import larder as program
from case import Client, ProtocolError, Skip, content, die_with_parent, head, reply, same, same_body, slow, wait_for


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_drain(t):
    """SIGTERM: what is in flight ends well, idle connections go, new ones are refused, status 0."""
    gate = threading.Event()
    body = content("/slow", 100_000)

    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", str(len(body))), ("Cache-Control", "max-age=600")]) + body[:1000])
        gate.wait(20)
        conn.send(body[1000:])
    larder = t.larder(t.origin({"/slow": behave, "/a": reply("x", cache="max-age=600")}))
    idle = larder.client()
    idle.request("/a")
    idle.read_response()
    busy = larder.client()
    busy.request("/slow")
    response = busy.read_head()
    larder.signal(signal.SIGTERM)
    assert idle.is_closed(10), "an idle connection outlived the drain"

    def refused():
        try:
            Client(larder.port, timeout=2).close()
            return False
        except OSError:
            return True
    wait_for(refused, 10, "refusal of new connections")
    assert larder.alive(), "it did not wait for the response in flight"
    gate.set()
    busy.read_body(response)
    same_body(response, body)
    assert busy.is_closed()
    same(larder.wait(20), 0)
    larder.process = None


def is_unready(larder):
    try:
        return larder.admin("/readyz").status == 503
    except (OSError, AssertionError):
        return False


def test_second_sigterm_ends_at_once(t):
    gate = threading.Event()

    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", "10")]))
        gate.wait(500)
    larder = t.larder(t.origin({"/slow": behave}), limits="drain 10m;", timeouts="connect=5s first_byte=10m idle=10m")
    client = larder.client()
    client.request("/slow")
    client.read_head()
    larder.signal(signal.SIGTERM)
    wait_for(lambda: is_unready(larder), what="/readyz saying 503")  # before that two signals may be one
    time.sleep(1.0)
    assert larder.alive()
    larder.signal(signal.SIGTERM)
    larder.wait(20)
    larder.process = None
    gate.set()


def test_drain_is_bounded(t):
    gate = threading.Event()

    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", "10")]))
        gate.wait(500)
    larder = t.larder(t.origin({"/slow": behave}), limits="drain 1s;", timeouts="connect=5s first_byte=10m idle=10m")
    client = larder.client()
    client.request("/slow")
    client.read_head()
    larder.signal(signal.SIGTERM)
    same(larder.wait(15), 0)
    larder.process = None
    gate.set()


def test_readiness_while_draining(t):
    gate = threading.Event()

    def behave(conn, _request):
        conn.send(head(200, [("Content-Length", "10")]))
        gate.wait(20)
        conn.send("0123456789")
    larder = t.larder(t.origin({"/slow": behave}))
    client = larder.client()
    client.request("/slow")
    client.read_head()
    larder.signal(signal.SIGTERM)
    wait_for(lambda: is_unready(larder), what="/readyz saying 503")
    same(larder.admin("/healthz").status, 200)
    gate.set()
    same(larder.wait(20), 0)
    larder.process = None


@slow(120)
def test_reload_under_load(t):
    """Twenty reloads between two origins under load: no request fails and no connection is cut."""
    one = t.origin(default=reply("one", cache="no-store"))
    two = t.origin(default=reply("two", cache="no-store"))
    larder = t.larder(one)
    stop = threading.Event()
    errors, seen = [], []

    def visit():
        try:
            with larder.client() as client:
                while not stop.is_set():
                    client.request("/x")
                    response = client.read_response()
                    same(response.status, 200)
                    seen.append(response.body)
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        new, name = ((two, b"two"), (one, b"one"))[number % 2]
        larder.write_config(origin_port=new.port)
        larder.signal(signal.SIGHUP)
        time.sleep(0.1)
        wait_for(lambda name=name: errors or seen[-1:] == [name], what=f"reload {number + 1}")
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors, errors
    same(set(seen), {b"one", b"two"})


def test_reload_takes_effect(t):
    origin = t.origin(default=reply("x"))
    larder = t.larder(origin)
    for _ in range(2):
        assert not larder.fetch("/x").is_hit
    larder.write_config(cache="default_ttl 60s;")
    larder.command("reload", check=0)
    larder.fetch("/y")
    assert larder.fetch("/y").is_hit
    same(larder.api("/api/v1/status")[1]["config"]["last_reload_ok"], True)


def test_bad_file_changes_nothing(t):
    origin = t.origin({"/a": reply("x", cache="max-age=600")})
    larder = t.larder(origin)
    with larder.client() as client:
        client.request("/a")
        client.read_response()
        larder.write_config("listen :1; nonsense on; site * { origins { server o http://127.0.0.1:1; } }")
        larder.signal(signal.SIGHUP)
        wait_for(lambda: "nonsense" in larder.output(), 10, "the reason in the log")
        done = larder.command("reload")
        client.request("/a")
        assert client.read_response().is_hit, "the connection or the cache did not survive a bad reload"
    assert done.returncode != 0
    status = larder.api("/api/v1/status")[1]["config"]
    same(status["last_reload_ok"], False)
    assert "nonsense" in status["last_reload_error"], status
    assert larder.cli("status", "--socket", larder.socket_path, check=1).stdout.count("nonsense") == 1
    larder.write_config()
    larder.command("reload", check=0)
    assert "nonsense" not in larder.command("status", check=0).stdout, "mended, and still a warning"


def test_sites_come_and_go_by_reload(t):
    origin = t.origin(default=reply("x", cache="max-age=600"))
    larder = t.larder(origin)
    same(larder.fetch("/x", host="new.test").status, 200)
    larder.write_config(sites=f"site only.test {{ origins {{ server o http://127.0.0.1:{origin.port}; }} }}")
    larder.command("reload", check=0)
    same(larder.fetch("/x", host="only.test").status, 200)
    assert 400 <= larder.fetch("/x", host="new.test").status < 500


@slow(90)
def test_out_of_descriptors(t):
    """Refuse, do not spin, and recover."""
    larder = t.larder(t.origin({"/a": reply("x", cache="max-age=600")}), start=False)
    larder.start(limits={resource.RLIMIT_NOFILE: 160})
    larder.fetch("/a")
    clients = []
    for _ in range(400):
        try:
            clients.append(Client(larder.port, timeout=5))
        except OSError:
            break
    time.sleep(1.0)
    before = cpu_s(larder.process.pid)
    time.sleep(2.0)
    used = cpu_s(larder.process.pid) - before
    assert used < 1.0, f"{used:.1f} s of CPU in 2 s while out of descriptors"
    assert larder.alive()
    for client in clients:
        client.close()

    def served():
        try:
            return larder.fetch("/a", timeout=3).status == 200
        except (OSError, AssertionError):
            return False
    wait_for(served, 15, "service after the descriptors are back")
    for _ in range(50):
        same(larder.fetch("/a").status, 200)


def test_out_of_descriptors_towards_the_origin(t):
    """A miss without a descriptor for the origin is a 5xx, not a crash or a hang."""
    larder = t.larder(t.origin({"/a": reply("x", cache="max-age=600"), "/m": reply("y", cache="no-store")}), start=False)
    larder.start(limits={resource.RLIMIT_NOFILE: 160})
    larder.fetch("/a")
    keep = larder.client()
    keep.request("/a")
    keep.read_response()
    clients = []
    for _ in range(300):
        try:
            clients.append(Client(larder.port, timeout=5))
        except OSError:
            break
    time.sleep(0.5)
    answered = 0
    for client in [keep] + clients[-20:]:  # idle ones may have been closed to make room for newer ones
        try:
            client.request("/m")
            response = client.read_response()
            assert response.status in (200, 500, 502, 503, 504), response
            answered += 1
        except (OSError, ProtocolError):
            pass
    assert answered > 0
    for client in clients:
        client.close()
    wait_for(lambda: larder.fetch("/m").status == 200, 15, "misses after the descriptors are back")


def test_two_daemons_do_not_share_a_store(t):
    """The second start on the same folder must not harm the first."""
    larder = t.larder(t.origin({"/a": reply("x", cache="max-age=600")}))
    larder.fetch("/a")
    second = t.larder(larder.settings["origin_port"], start=False, store_path=larder.store_path)
    second.start(wait=False)
    same(second.wait(), 1, "exit status")
    second.process = None
    assert larder.fetch("/a").is_hit
    larder.restart()
    assert larder.fetch("/a").status == 200


def test_port_taken(t):
    larder = t.larder(t.origin())
    second = t.larder(larder.settings["origin_port"], start=False)
    second.port = larder.port
    second.write_config()
    second.start(wait=False)
    code = second.wait(15)
    assert code not in (0, -6, -11), code
    assert str(larder.port) in second.output(), second.output()
    second.process = None
    same(larder.admin("/healthz").status, 200)


def test_user_gets_its_folders(t):
    """Started by root with `user`: state, store and the socket's folder are made where only root may, for the user."""
    if os.geteuid() != 0:
        raise Skip("only root may become somebody else")
    larder = t.larder(t.origin({"/a": reply("x", cache="max-age=600")}), start=False)
    os.chmod(t.folder, 0o755)
    os.chmod(larder.folder, 0o777)  # the logs are files the user opens
    roots = os.path.join(t.folder, "run")
    os.mkdir(roots)
    larder.socket_path = os.path.join(roots, "larder", "admin.sock")
    larder.write_config(extra="user nobody;")
    larder.start()
    same(larder.fetch("/a").status, 200)
    larder.command("status", check=0)
    wanted = pwd.getpwnam("nobody").pw_uid
    for path in (os.path.dirname(larder.socket_path), larder.store_path, os.path.join(larder.folder, "state")):
        same(os.stat(path).st_uid, wanted, path)


def test_demo_moves_from_a_port_taken_on_one_address(t):
    """Before a site of one's own the demo listens everywhere; a neighbour on ::1 alone is a neighbour."""
    origin = t.origin({"/": reply("mine", cache="max-age=600")})
    demo = t.larder(origin, start=False)
    taken = socket.socket(socket.AF_INET6)
    t.undo.append(taken.close)
    try:
        taken.bind(("::1", demo.port))
    except OSError as error:
        raise Skip(f"no IPv6: {error}") from error
    taken.listen()
    demo.outputs, demo.output_path = 1, os.path.join(demo.folder, "output.1")
    with open(demo.output_path, "wb") as out:
        demo.process = subprocess.Popen(
            [program.BINARY, "demo", "--origin", f"http://127.0.0.1:{origin.port}", "--store", demo.store_path,
             "--port", str(demo.port), "--admin-port", str(demo.admin_port)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=die_with_parent)
    wait_for(lambda: "then a hit" in demo.output() or not demo.alive(), 30, "the start")
    moved = re.search(rf"port {demo.port} is taken; the proxy uses (\d+)", demo.output())
    assert moved, demo.output()
    demo.port = int(moved[1])
    same(demo.fetch("/").body, b"mine")
    assert demo.fetch("/").is_hit
