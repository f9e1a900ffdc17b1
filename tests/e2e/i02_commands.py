"""What the commands say when something is not as it should be."""
import json
import os
import signal
import subprocess
import time

from case import die_with_parent, free_port, reply, same, wait_for
from client import PATIENCE
from larder import BINARY


def spoil(larder, text, **changes):
    """The file gets text at its end; the daemon goes on with what it has."""
    larder.write_config(larder.config() + text, **changes)


def test_socket_of_a_bad_file(t):
    """A file that got errors still says where its daemon is, as long as the socket itself can be read."""
    larder = t.larder(t.origin())
    spoil(larder, "store { size lots; }\nlisten \"x;\nvia ${LARDER_UNSET};\nsite b {")
    answer = json.loads(larder.command("status", "--json").stdout)
    same(answer["status"]["pid"], larder.process.pid)
    done = larder.command("reload", check=1)
    assert "nothing was changed" in done.stderr and "never closed" in done.stderr, done.stderr
    done = larder.command("purge", "--hard", "--url", "http://site.test/", check=0)
    assert "0 objects" in done.stdout, done.stdout
    with open(larder.config_path, encoding="utf-8") as file:
        text = file.read()
    larder.write_config(text.replace("socket /", "socket ${LARDER_UNSET}/"))
    done = larder.command("status", check=2)
    for wanted in (larder.config_path, "LARDER_UNSET is not set", "--socket PATH", "/run/larder/admin.sock"):
        assert wanted in done.stderr, (wanted, done.stderr)
    larder.cli("stop", "--socket", larder.socket_path, check=0)
    same(larder.wait(), 0)
    larder.process = None


def test_no_socket(t):
    larder = t.larder(t.origin(), start=False)
    larder.write_config(larder.config().replace(f"socket {larder.socket_path};", "socket off;"))
    done = larder.command("status", check=2)
    assert "--server" in done.stderr and "turns the admin socket off" in done.stderr, done.stderr


def test_purge_of_what_is_not_there(t):
    """Nothing matched: a hint, and status 0, since nothing is left to purge."""
    origin = t.origin({"/p": reply("x", cache="max-age=600"), "/q?a=1": reply("x", cache="max-age=600")})
    sites = "".join(f"site {names} {{ origins {{ server o http://127.0.0.1:{origin.port}; }} }}\n"
                    for names in ("site.test www.site.test", "other.test"))
    larder = t.larder(origin, sites=sites)
    larder.fetch("/p")
    larder.fetch("/p", host=f"www.site.test:{larder.port}")

    def purge(url):
        return larder.command("purge", "--hard", "--dry-run", "--url", url, check=0).stdout
    out = purge("http://www.elsewhere.test:8080/p")
    assert "hint: no site serves www.elsewhere.test; the sites: site.test www.site.test other.test\n" in out, out
    assert "would match 1 object" in purge("https://site.test/p"), "both schemes are meant"
    for url, stored in (("http://site.test/p/", "http://site.test/p"), ("http://site.test/p?a", "http://site.test/p"),
                        ("http://site.test:8080/p", "http://site.test/p"),
                        ("http://www.site.test/p", f"http://www.site.test:{larder.port}/p")):
        out = purge(url)
        assert f"hint: {stored} is stored\n" in out, (url, out)
    assert "hint" not in purge("http://SITE.test/p"), "a match needs no hint"
    assert "hint" not in purge("http://other.test/p")


def test_purge_syntax(t):
    larder = t.larder(t.origin(), start=False)
    done = larder.command("purge", "http://site.test/p", check=2)
    assert "larder purge --soft|--hard --url http://site.test/p" in done.stderr, done.stderr
    done = larder.command("purge", "--hard", "http://site.test/p", check=2)
    assert "larder purge --hard --url http://site.test/p" in done.stderr, done.stderr


def demo(t, larder, traffic):
    """Starts `larder demo`; the larder's helpers then speak to its socket."""
    folder = os.path.join(t.folder, f"demo{traffic}")
    larder.port, larder.socket_path = free_port(), os.path.join(folder, "admin.sock")
    with open(os.path.join(t.folder, f"demo{traffic}.out"), "wb") as out:
        process = subprocess.Popen([BINARY, "demo", "--port", str(larder.port), "--admin-port", str(free_port()),
                                    "--store", folder, "--traffic", str(traffic)], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=out, preexec_fn=die_with_parent)
    t.undo.append(process.kill)

    def answers():
        try:
            return larder.api("/readyz")[0] == 200
        except OSError:
            return False
    wait_for(answers, 30, "the demo")
    return process


def test_demo_visitors_can_be_turned_off(t):
    larder = t.larder(t.origin(), start=False)

    def urls():
        status, answer = larder.api("/api/v1/top")
        same(status, 200)
        return answer["items"]
    process = demo(t, larder, 50)
    wait_for(urls, 20, "visitors")
    process.send_signal(signal.SIGINT)
    same(process.wait(30 * PATIENCE), 0)
    process = demo(t, larder, 0)
    larder.fetch("/hello")
    wait_for(urls, 20, "our own request")
    time.sleep(1.5)
    same([item["url"].rpartition("/")[2] for item in urls()], ["hello"])
    process.send_signal(signal.SIGINT)
    same(process.wait(30 * PATIENCE), 0)
