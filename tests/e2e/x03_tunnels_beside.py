"""Tunnels beside what else a forward proxy does: floods and hits, addresses to come from, rules, settings."""
import socket
import statistics
import threading
import time

from case import reply, same, slow, wait_for
from tunnels import MB, Server, ask, connect, echo, forward, pattern, records


@slow(120)
def test_flood_beside_hits(t):
    """Four tunnels as fast as they go, on one worker: a hit waits for their turns, and no longer."""
    block = pattern(MB, 17)

    def flood(peer):
        while True:
            peer.sendall(block)

    def read(client):
        room = bytearray(MB)
        try:
            while count := client.socket.recv_into(room):
                taken.append(count)
        except OSError:
            pass

    taken, server = [], Server(t, flood)
    larder = forward(t, origin=t.origin({"/": reply(b"x" * 1000, cache="max-age=1000")}), workers=1)
    same(larder.fetch("/").status, 200)
    clients = [connect(larder, server.port) for _ in range(4)]
    threads = [threading.Thread(target=read, args=(client,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    wait_for(lambda: sum(taken) > 20 * MB, 20, "the flood")
    times = []
    with larder.client() as client:
        for _ in range(100):
            begin = time.monotonic()
            client.request("/")
            assert client.read_response().is_hit
            times.append(time.monotonic() - begin)
    assert statistics.median(times) < 0.5, statistics.median(times)
    before = sum(taken)
    wait_for(lambda: sum(taken) > before + MB, 20, "more of the flood: it has not given way")
    for client in clients:
        client.socket.shutdown(socket.SHUT_RDWR)
        client.close()
    wait_for(lambda: larder.metrics()["larder_tunnels_open"] == 0, 10)


def test_outgoing(t):
    """Tunnels come from the address that is said; where none of the family is said, or it is not ours: 502."""
    server, six = Server(t), Server(t, echo, host="::1")
    larder = forward(t, "outgoing 127.0.0.5;")
    with connect(larder, server.port):
        same(server.next().getpeername()[0], "127.0.0.5")
    with ask(larder, six.port, host="[::1]") as client:
        response = client.read_response()
        same((response.status, "error=proxy_configuration_error" in response.get("Proxy-Status")), (502, True),
             response.raw_head)
    larder = forward(t, "outgoing 192.0.2.77;")
    with ask(larder, server.port) as client:
        response = client.read_response()
        same((response.status, "error=proxy_configuration_error" in response.get("Proxy-Status")), (502, True),
             response.raw_head)


def test_settings(t):
    """Shown, checked, and for tunnels opened after a reload."""
    server = Server(t, echo)
    larder = forward(t, "tunnel_time 2h; tunnel_idle 3m;")
    shown = larder.cli("config", "show", "-c", larder.config_path, check=0).stdout
    assert "tunnel_time 2h;" in shown and "tunnel_idle 3m;" in shown, shown
    with connect(larder, server.port) as old:
        text = open(larder.config_path, encoding="utf-8").read()
        larder.write_config(text=text.replace("tunnel_time 2h", "tunnel_time 999ms"))
        done = larder.cli("check", larder.config_path)
        assert done.returncode != 0 and '"999ms" is out of range for "tunnel_time": 1s..30d' in done.stdout + done.stderr
        larder.write_config(text=text.replace("tunnel_time 2h", "tunnel_time 1s"))
        larder.command("reload", check=0)
        begin = time.monotonic()
        with connect(larder, server.port) as new:
            while time.monotonic() - begin < 40:
                try:
                    new.send(b"x")
                    assert new.socket.recv(1) == b"x"
                except (OSError, AssertionError):
                    break
                time.sleep(0.05)
            assert 0.95 < time.monotonic() - begin < 40
        old.send(b"still")
        same(old.read_some(5), b"still")


def test_log_and_counters(t):
    """The record comes at the end, with bytes both ways; counters move while the tunnel is open."""
    server = Server(t, echo)
    larder = forward(t)
    with connect(larder, server.port, fields="User-Agent: test/1\r\n") as client:
        client.send(bytes(MB))
        client.read_some(MB)
        same(larder.access_records(), [])
        def figures():
            metrics = larder.metrics()
            return (metrics["larder_tunnels_open"], metrics['larder_tunnel_bytes_total{direction="to_client"}'],
                    metrics['larder_tunnel_bytes_total{direction="to_origin"}'])
        wait_for(lambda: figures() == (1, MB, MB), 10, "the figures of an open tunnel")
        time.sleep(0.3)
    record = records(larder)[0]
    same((record["method"], record["host"], record["status"], record["bytes"], record["received"], record["aborted"]),
         ("CONNECT", f"127.0.0.1:{server.port}", 200, MB + 39, MB, False))
    assert "test/1" in str(record), record


def test_denied(t):
    """Nothing is connected to before the rules have seen its very address, by name or as a number."""
    server = Server(t, echo)
    larder = forward(t, acl="acl { allow here client 127.0.0.1 port 1-65535; }")
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        with ask(larder, server.port, host=host) as client:
            response = client.read_response()
            same((response.status, response.get("Connection")), (403, "close"), (host, response.raw_head))
            assert "error=" in response.get("Proxy-Status"), response.raw_head
            assert client.is_closed()
    same(server.count, 0)
    same([(r["status"], r["result"]) for r in records(larder, 3)], [(403, "denied")] * 3)
    # our own port is no way out, whatever is allowed
    larder = forward(t)
    with ask(larder, larder.proxy_port) as client:
        response = client.read_response()
        same((response.status, "error=" in response.get("Proxy-Status")), (403, True), response.raw_head)
