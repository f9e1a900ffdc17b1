"""What the commands say when something is not as it should be."""
import json

from case import same


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
