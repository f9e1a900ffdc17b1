"""What operators are told: what is wrong now, what was wrong lately, and in which words."""
from case import reply, same, wait_for


def events(larder):
    return [problem["event"] for problem in larder.api("/api/v1/status")[1]["problems"]]


def test_good_reload_ends_the_problem(t):
    """A reload that failed, or that needs a restart, is no problem any more once the file is right again."""
    larder = t.larder(t.origin())
    good = larder.config()
    larder.write_config(good + "nonsense 1;\n")
    larder.command("reload", check=1)
    assert "reload_failed" in events(larder), events(larder)
    assert "failed, the old configuration is in force" in larder.command("status", check=1).stdout
    larder.write_config(good.replace("workers ", "workers 1"))
    larder.command("reload", check=0)
    same(events(larder), ["reload_needs_restart"])
    done = larder.command("status", check=1).stdout
    assert "reload_needs_restart workers: stays" in done and "s ago)" in done and "Lately" not in done, done
    larder.write_config(good)
    larder.command("reload", check=0)
    same(events(larder), [])
    done = larder.command("status", check=0).stdout
    assert "reload" not in done, done


def test_reasons_first_and_past_apart(t):
    """What makes it a warning stands before the figures; an outage that is over stands under Lately."""
    origin = t.origin(default=reply("x", cache="no-store"))
    larder = t.larder(origin, origins="server spare http://127.0.0.1:9; check tcp every=1s timeout=8s;")

    def down():
        return "origin_down" in events(larder)
    wait_for(down, 5, "the spare is down")
    done = larder.command("status", check=1).stdout
    first, _, rest = done.partition("\ntraffic ")
    assert first.startswith("larder    warning") and "spare is down: " in first and "(for " in first, done
    assert "spare is down" not in rest, done
    larder.write_config(larder.config().replace("server spare http://127.0.0.1:9;", ""))
    larder.command("reload", check=0)
    done = larder.command("status", check=0).stdout
    first, _, rest = done.partition("\nLately:\n")
    assert "spare" not in first and "origin_out" in rest and " ago" in rest, done


def test_list_of_servers(t):
    """The weight stands where there are several; a slow answer is told in seconds."""
    origin = t.origin(default=reply("x", cache="no-store"))
    port = origin.port
    sites = (f"origins app {{ server a http://127.0.0.1:{port} weight=3; server b http://127.0.0.1:{port} backup; }}\n"
             f"origins flat {{ server c http://127.0.0.1:{port}; }}\n"
             "site a.test { origins app; }\nsite b.test { origins flat; }\n")
    out = t.larder(sites=sites).command("origins", check=0).stdout
    assert "a (weight 3) " in out and "b (backup, weight 1) " in out, out
    assert "weight" not in out.partition("pool flat")[2], out


def test_check_of_a_connection_alone(t):
    """Of a server with TLS the check without `check` says what it has not tried."""
    origin = t.origin()
    sites = (f"origins app {{ server a https://127.0.0.1:{origin.port}; server b http://127.0.0.1:{origin.port}; }}\n"
             "site a.test { origins app; }\n")
    larder = t.larder(sites=sites)
    out = larder.command("origins", "check", "app/a", check=0).stdout
    assert ": connected; TLS was not tried; " in out, out
    out = larder.command("origins", "check", "app/b", check=0).stdout
    assert ": connected; it is in state up" in out, out
