"""Users of a forward proxy: the 407 flow, what a password is and is not, groups, what costs a hash and what does not,
guesses, reloads, and that nothing of it reaches an origin, a log or the store."""
import base64
import os
import select
import subprocess
import threading
import time

from case import reply, same, settle, slow, wait_for
from forwarding import ACL

PAGE = reply(b"page", cache="max-age=600")
# "secret" by the other schemes.
SECRETS = {
    "bcrypt-a": "$2a$04$aaaaaaaaaaaaaaaaaaaaaOGY9KrC7e/pHj3EXQPxs8hKEBbvQhsvG",
    "bcrypt-y": "$2y$04$aaaaaaaaaaaaaaaaaaaaaOGY9KrC7e/pHj3EXQPxs8hKEBbvQhsvG",
    "sha256": "$5$rounds=1000$ab$bw4PhTdETPYycBP1S/MfHGVqzf4cldTXkxqJJ2X8w.3",
    "scrypt": "$7$CU..../....aaaaaaaa$.fw5csUBfG7l8CFaNckkrceDgqzbpZhB0SVD0B4y0l5",
    "yescrypt": "$y$j75$aaaaaaaa$GvBK025fEL0hItG.vSa/p9csgcr9FyC.5BGwgFYfNF8",
}
EMPTY = "$5$rounds=1000$ab$Yd3BaIOVbovC2OGzlWXH53yhcyaWZscnPjMwuHC/2t3"  # the hash of ""
CHALLENGE = 'Basic realm="proxy", charset="UTF-8"'


def hashed(password, rounds=None):
    """By openssl, as an operator would."""
    salt = f"rounds={rounds}$saltsalt" if rounds else "saltsalt"
    done = subprocess.run(["openssl", "passwd", "-6", "-salt", salt, password], capture_output=True, check=True)
    return done.stdout.decode().strip()


def basic(name, password=""):
    text = name if isinstance(name, bytes) else f"{name}:{password}".encode()
    return [("Proxy-Authorization", "Basic " + base64.b64encode(text).decode())]


def proxy(t, users, body="", options="", start=True, sites=None, acl=ACL, **words):
    """A forward proxy with this password file: {name: hash}."""
    folder = os.path.join(t.folder, f"users{len(t.larders)}")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "htpasswd")
    write(path, users)
    text = f"forward office {{ auth basic {path} {options}; {acl} {body} }}"
    larder = t.larder(start=start, sites=sites or text, listen="forward office;", **words)
    larder.users_path = path
    return larder


def write(path, users):
    with open(path, "w", encoding="utf-8") as out:
        for name, text in users.items():
            out.write(f"{name}:{text}\n")


def ask(larder, origin, path="/", headers=(), source=None, method="GET", body=None, timeout=20):
    with larder.client(source=source, timeout=timeout) as client:
        client.request(f"http://127.0.0.1:{origin.port}{path}", method, host=f"127.0.0.1:{origin.port}",
                       headers=list(headers), body=body)
        return client.read_response(method)


def checked(larder):
    metrics = larder.metrics()
    return tuple(int(metrics[f'larder_passwords_hashed_total{{result="{word}"}}']) for word in ("right", "wrong"))


def test_flow(t):
    """Without a password 407 with a challenge and a connection that stays; then the answer on the same one."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret")}, options='realm="Example Inc."')
    with larder.client() as client:
        for method in ("GET", "HEAD", "POST"):
            client.request(f"http://127.0.0.1:{origin.port}/", method, host="x", body=b"1234" if method == "POST" else None)
            answer = client.read_response(method)
            same((answer.status, answer.get("Proxy-Authenticate"), answer.get("Connection"), answer.get("Cache-Control")),
                 (407, 'Basic realm="Example Inc.", charset="UTF-8"', None, "no-store"))
            same((answer.get("Cache-Status"), answer.get("WWW-Authenticate")), (None, None))
        same(origin.count("/"), 0)
        client.request(f"http://127.0.0.1:{origin.port}/", headers=basic("anna", "wrong"))
        same(client.read_response().status, 407)
        client.request(f"http://127.0.0.1:{origin.port}/", headers=basic("anna", "secret"))
        answer = client.read_response()
        same((answer.status, answer.body), (200, b"page"))
        client.request(f"http://127.0.0.1:{origin.port}/", headers=basic("anna", "secret"))
        answer = client.read_response()
        same((answer.status, answer.is_hit), (200, True))
        client.request(f"http://127.0.0.1:{origin.port}/")
        same(client.read_response().status, 407)  # each request by itself, hits too
    same(origin.count("/"), 1)
    same(checked(larder), (1, 1))
    records = wait_for(lambda: len(larder.access_records()) == 7 and larder.access_records(), 5, "the records")
    same([(r["status"], r["result"], r["reason"], r["user"]) for r in records],
         [(407, "synthetic", "challenge", "")] * 3 + [(407, "denied", "login_failed", ""), (200, "miss", "absent", "anna"),
                                                      (200, "hit", "fresh", "anna"), (407, "synthetic", "challenge", "")])
    metrics = larder.metrics()
    same([metrics[f'larder_requests_total{{site="forward:office",result="{word}"}}'] for word in ("denied", "synthetic")], [1, 4])


def test_large_body(t):
    """A request whose body is not wanted: read off where it is short, the connection closed where it is not."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret")})
    with larder.client() as client:
        client.send(f"POST http://127.0.0.1:{origin.port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n" + "x" * 70000)
        answer = client.read_response()
        same((answer.status, answer.get("Proxy-Authenticate"), answer.get("Connection")), (407, CHALLENGE, "close"))
        assert client.is_closed()
    with larder.client() as client:
        client.send(f"POST http://127.0.0.1:{origin.port}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\nabcde\r\n0\r\n\r\n")
        same(client.read_response().status, 407)
        client.request(f"http://127.0.0.1:{origin.port}/", headers=basic("anna", "secret"))
        same(client.read_response().status, 200)


def test_connect(t):
    """A refused CONNECT ends its connection, and what was sent behind it is read by nobody."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret")})
    with larder.client() as client:
        client.send(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\nHost: 127.0.0.1:{origin.port}\r\n\r\n"
                    f"GET http://127.0.0.1:{origin.port}/smuggled HTTP/1.1\r\nHost: x\r\n"
                    f"{basic('anna', 'secret')[0][0]}: {basic('anna', 'secret')[0][1]}\r\n\r\n")
        answer = client.read_response()
        same((answer.status, answer.get("Proxy-Authenticate"), answer.get("Connection")), (407, CHALLENGE, "close"))
        assert client.is_closed()
    same(len(origin.requests), 0)


def test_spellings(t):
    """What is a name and a password, and what only looks like it."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret"), "Jörg": hashed("pässword"), "colon": hashed("a:b:"), "empty": EMPTY,
                       "long": hashed("x" * 200), **SECRETS}, options="failures=off")

    def status(value):
        return ask(larder, origin, headers=[("Proxy-Authorization", value)]).status

    def coded(text):
        return base64.b64encode(text.encode()).decode()

    good = coded("anna:secret")
    for value in ("Basic " + good, "basic " + good, "BASIC    " + good, "Basic " + coded("Jörg:pässword"),
                  "Basic " + coded("colon:a:b:"), "Basic " + coded("empty:"), "Basic " + coded("long:" + "x" * 200),
                  *("Basic " + coded(f"{name}:secret") for name in SECRETS)):
        same(status(value), 200, value)
    for value in ("Basic", "Basic ", "Basic" + good, "Basic=" + good, "Basic " + good[:-1], "Basic " + good.rstrip("="),
                  "Basic " + good + "=", "Basic " + good + " x", "Basic " + coded("anna"), "Basic " + coded("anna:secret\0"),
                  "Basic " + coded("anna:secret\n"), "Basic " + coded("anna\x7f:secret"), "Basic " + coded("Anna:secret"),
                  "Basic " + coded("anna:Secret"), "Basic " + coded("anna:secret "), "Basic " + coded(":secret"),
                  "Basic " + coded(":"), "Basic " + coded("long:" + "x" * 199), "Basic " + coded("anna:" + "x" * 600),
                  "Basic " + coded("x" * 300 + ":secret"), "Basic " + "A" * 4000, "Basic ????", "Basic YW5uYTpzZWNyZXR=",
                  "Bearer " + good, "Negotiate " + good, "Digest username=\"anna\"", good):
        same(status(value), 407, value)
    with larder.client() as client:  # two of them
        client.request(f"http://127.0.0.1:{origin.port}/", headers=basic("anna", "secret") + basic("anna", "secret"))
        same(client.read_response().status, 407)
    same({r["user"] for r in wait_for(lambda: len(larder.access_records()) > 30 and larder.access_records(), 5, "records")
          if r["status"] == 200} >= {"anna", "colon", "yescrypt"}, True)


def test_nothing_leaks(t):
    """Not to the origin, not by Vary into the store, not into a log."""
    token = basic("anna", "secret-of-anna")[0][1].split()[1]
    origin = t.origin({"/": reply(b"page", cache="max-age=600", headers=[("Vary", "Proxy-Authorization, X-Other")])})
    larder = proxy(t, {"anna": hashed("secret-of-anna"), "ben": hashed("secret-of-ben")},
                   body="header request set X-Added 1; rule header Proxy-Authorization=* { header response set X-Seen 1; }")
    answer = ask(larder, origin, headers=basic("anna", "secret-of-anna"))
    same((answer.status, answer.get("X-Seen")), (200, None))
    answer = ask(larder, origin, headers=basic("ben", "secret-of-ben"))
    same((answer.status, answer.is_hit), (200, True))  # whoever asks: the origin never saw the field
    same(ask(larder, origin, "/x", method="POST", body=b"1", headers=basic("anna", "secret-of-anna")).status, 404)
    for request in origin.requests:
        head = request.raw_head.lower()
        assert b"proxy-authorization" not in head and b"basic" not in head, request.raw_head
    open_larder = t.larder(sites=f"forward open {{ {ACL} }}", listen="forward open;")  # nobody is asked here
    same(ask(open_larder, origin, "/open", headers=basic("anna", "secret-of-anna")).status, 404)
    assert b"proxy-authorization" not in origin.requests[-1].raw_head.lower(), origin.requests[-1].raw_head
    settle(0.6)
    larder.stop()
    open_larder.stop()
    words = (b"secret-of-anna", token.encode(), token[:-2].encode())
    for folder in (larder.folder, open_larder.folder):
        for root, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(root, name), "rb") as data:
                    text = data.read()
                assert not any(word in text for word in words), os.path.join(root, name)


def test_except(t):
    """Some networks need no password; one they send counts all the same."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret")}, body="auth_except 127.0.0.2 127.9.0.0/16;")
    same([ask(larder, origin, source=source).status for source in ("127.0.0.1", "127.0.0.2", "127.9.1.1")], [407, 200, 200])
    same(ask(larder, origin, source="127.0.0.2", headers=basic("anna", "secret")).status, 200)
    same(ask(larder, origin, source="127.0.0.2", headers=basic("anna", "wrong")).status, 407)
    same(ask(larder, origin, source="127.0.0.2", headers=[("Proxy-Authorization", "Negotiate abcd")]).status, 200)
    users = [r["user"] for r in wait_for(lambda: len(larder.access_records()) == 6 and larder.access_records(), 5, "records")]
    same(users, ["", "", "", "anna", "", ""])


def test_groups(t):
    """Rules ask for users and groups; those of the file and of the block add up, and change with a reload."""
    origin = t.origin({path: PAGE for path in ("/staff", "/night", "/anna", "/any", "/open")})
    folder = os.path.join(t.folder, "groups")
    with open(folder, "w", encoding="utf-8") as out:
        out.write("# who\nstaff: anna ben\nnight: ben\n")
    acl = "acl { " + " ".join(f"allow {name} {who} path /{name} to loopback port 1-65535;" for name, who in (
        ("staff", "group staff"), ("night", "group night day"), ("anna", "user anna zoe"), ("any", "user *"), ("open", ""))) + " }"
    larder = proxy(t, {name: hashed("secret") for name in ("anna", "ben", "carl")}, acl=acl,
                   body=f"groups {folder}; group night carl; auth_except 127.0.0.7;")

    def may(name, source=None):
        return [word for word in ("staff", "night", "anna", "any", "open") if ask(
            larder, origin, f"/{word}", basic(name, "secret") if name else (), source).status == 200]

    same(may("anna"), ["staff", "anna", "any", "open"])
    same(may("ben"), ["staff", "night", "any", "open"])
    same(may("carl"), ["night", "any", "open"])
    same(may(None, "127.0.0.7"), ["open"])
    same(may("anna", "127.0.0.7"), ["staff", "anna", "any", "open"])  # no password is needed there, but it counts
    same(may(None), [])
    with open(folder, "w", encoding="utf-8") as out:
        out.write("staff: carl\nday: anna\n")
    larder.command("reload", check=0)
    same([may("anna"), may("ben"), may("carl")],
         [["night", "anna", "any", "open"], ["any", "open"], ["staff", "night", "any", "open"]])
    same(checked(larder), (3, 0))


def test_combined_log(t):
    """The third field is the user, of one word."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna b": hashed("secret")}, access="combined")
    same(ask(larder, origin, headers=basic("anna b", "secret")).status, 200)
    same(ask(larder, origin).status, 407)
    lines = wait_for(lambda: len(larder.access_lines()) == 2 and larder.access_lines(), 5, "the lines")
    assert lines[0].startswith("127.0.0.1 - anna\\x20b ["), lines
    assert lines[1].startswith("127.0.0.1 - - [") and " synthetic challenge " in lines[1], lines


@slow(240)
def test_one_hash(t):
    """200 first requests at the same moment hash one password once, and no worker waits for it."""
    origin = t.origin({"/": PAGE, "/other": PAGE})
    larder = proxy(t, {"anna": hashed("secret", 1_000_000), "ben": hashed("secret")}, workers=3, options="failures=off")
    same(ask(larder, origin, headers=basic("ben", "secret")).status, 200)
    before = [larder.client(timeout=100) for _ in range(6)]  # so that hers takes seconds
    for number, client in enumerate(before):
        client.request(f"http://127.0.0.1:{origin.port}/", headers=basic("anna", f"guess{number}"))
    clients = [larder.client(timeout=100) for _ in range(200)]
    for number, client in enumerate(clients):
        client.request(f"http://127.0.0.1:{origin.port}/?{number}", headers=basic("anna", "secret"))
    for _ in range(4):
        same(ask(larder, origin, headers=basic("ben", "secret")).status, 200)  # remembered: nothing to wait for
    assert not select.select([client.socket for client in clients], [], [], 0)[0], "he had to wait for her hash"
    for client in clients:
        same(client.read_response().status, 200)
        client.close()
    for client in before:
        same(client.read_response().status, 407)
        client.close()
    same(checked(larder), (2, 6))
    same(ask(larder, origin, headers=basic("anna", "secret")).status, 200)
    same(checked(larder), (2, 6))


def test_guesses(t):
    """A client address has so many; then 429 and no hash, but for what is remembered. Others are not concerned."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret"), "ben": hashed("secret")}, options="failures=3/h")
    same(ask(larder, origin, headers=basic("anna", "secret")).status, 200)
    for _ in range(5):  # the same mistake again is no guess
        same(ask(larder, origin, headers=basic("anna", "wrong")).status, 407)
    same(checked(larder), (1, 1))
    same(ask(larder, origin, headers=basic("nobody", "secret")).status, 407)
    same(ask(larder, origin, headers=basic("ben", "wrong")).status, 407)
    before = checked(larder)
    answer = ask(larder, origin, headers=basic("ben", "secret"))  # it is right, but nobody looks
    same((answer.status, answer.get("Proxy-Authenticate")), (429, None))
    assert 1100 <= int(answer.get("Retry-After")) <= 1200, answer.get("Retry-After")
    same(checked(larder), before)
    same(ask(larder, origin, headers=basic("anna", "secret")).status, 200)
    same(ask(larder, origin, headers=basic("anna", "wrong")).status, 407)
    same(ask(larder, origin).status, 407)
    same(ask(larder, origin, source="127.0.0.9", headers=basic("ben", "secret")).status, 200)
    same(ask(larder, origin, headers=basic("ben", "secret")).status, 200)  # proven from elsewhere by now
    same(ask(larder, origin, headers=basic("ben", "third")).status, 429)
    metrics = larder.metrics()
    same(metrics['larder_limited_total{site="forward:office",limit="login"}'], 2)
    records = wait_for(lambda: [r for r in larder.access_records() if r["status"] == 429][1:], 5, "the records")
    same({(r["result"], r["reason"]) for r in records}, {("denied", "login_limit")})


def test_guesses_return(t):
    """With time."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret")}, options="failures=10/m")
    began, guesses = time.monotonic(), 0
    while ask(larder, origin, headers=basic("anna", f"guess{guesses}")).status == 407:
        guesses += 1
    assert 10 <= guesses <= 11 + (time.monotonic() - began) / 6, guesses
    wait_for(lambda: ask(larder, origin, headers=basic("anna", "secret")).status == 200, 30, "another guess")


@slow(120)
def test_many_behind_one_address(t):
    """Forty users behind one address log in at the same moment: none is taken for a guesser; forty guesses are."""
    origin = t.origin({"/": PAGE})
    users = {f"user{number}": hashed(f"secret{number}", 20000) for number in range(40)}
    larder = proxy(t, users, workers=2, options="failures=4/h")

    def burst(word):
        clients = [larder.client(timeout=60) for _ in range(40)]
        for number, client in enumerate(clients):
            client.request(f"http://127.0.0.1:{origin.port}/", headers=basic(f"user{number}", f"{word}{number}"))
        statuses = [client.read_response().status for client in clients]
        for client in clients:
            client.close()
        return statuses

    same(burst("secret"), [200] * 40)
    same(checked(larder), (40, 0))
    limited = 'larder_limited_total{site="forward:office",limit="login"}'
    same(larder.metrics().get(limited, 0), 0)  # to wait for a guess is not to be refused
    statuses = burst("guess")
    same((statuses.count(407), statuses.count(429)), (4, 36))
    same(checked(larder), (40, 4))
    same(larder.metrics()[limited], 36)


def guess(larder, origin, addresses, each):
    """So many passwords from each of so many addresses, all at once; the clients, who wait for their answers."""
    clients = []
    for number in range(addresses * each):
        client = larder.client(timeout=60, source=f"127.0.{1 + number // each}.1")
        client.request(f"http://127.0.0.1:{origin.port}/", headers=basic("slow", f"guess{number}"))
        clients.append(client)
    return clients


@slow(120)
def test_full_queue(t):
    """More passwords than can be looked at: 503 and Retry-After to those who have most waiting; those who are known, and
    who comes from elsewhere, notice nothing; those who leave take their places with them."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret"), "ben": hashed("secret"), "slow": hashed("secret", 200000)}, workers=1,
                   options="failures=off")
    same(ask(larder, origin, headers=basic("anna", "secret")).status, 200)
    clients = guess(larder, origin, 12, 30)  # 32 of one address are looked at at the same time
    wait_for(lambda: larder.metrics()["larder_passwords_refused_total"] > 50, 20, "a full queue")
    told = wait_for(lambda: select.select([client.socket for client in clients], [], [], 0)[0][50:], 20, "those refused")
    answers = [client.read_response() for client in clients if client.socket in told]
    same({(answer.status, answer.get("Retry-After"), answer.get("Proxy-Authenticate")) for answer in answers
          if answer.status != 407}, {(503, "2", None)})
    same(ask(larder, origin, headers=basic("anna", "secret")).status, 200)
    same(ask(larder, origin, source="127.0.99.1", headers=basic("ben", "secret"), timeout=60).status, 200)
    looked_at, waiting = sum(checked(larder)), larder.metrics()["larder_passwords_waiting"]
    for client in clients:
        client.close()
    wait_for(lambda: larder.metrics()["larder_passwords_waiting"] <= 1, 20, "an empty queue")
    assert sum(checked(larder)) - looked_at < waiting / 2, (checked(larder), looked_at, waiting)


@slow(120)
def test_turns(t):
    """A flood of guesses from many addresses, each within its allowance: a newcomer waits for some of them, not for all."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"ben": hashed("secret"), "slow": hashed("secret", 200000)}, workers=1, options="failures=30/h")
    clients = guess(larder, origin, 8, 30)
    wait_for(lambda: larder.metrics()["larder_passwords_waiting"] + sum(checked(larder)) >= 240, 20, "all guesses")
    before = sum(checked(larder))
    answer = ask(larder, origin, source="127.0.99.1", headers=basic("ben", "secret"), timeout=60)
    right, wrong = checked(larder)
    same((answer.status, right), (200, 1))
    assert wrong - before < (240 - before) / 2, (before, wrong)
    for client in clients:
        client.close()


@slow(120)
def test_unknown_names_cost_the_same(t):
    """Nobody can tell by the time whether there is such a user: the processor has as much to do."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret", 1_000_000)}, options="failures=off")

    def worked(name, word):
        """Seconds of the processor for one answer; others that are busy there do not count."""
        before = processor_s(larder)
        same(ask(larder, origin, headers=basic(name, word), timeout=60).status, 407)
        return processor_s(larder) - before

    known = unknown = 0.0
    for number in range(5):
        known += worked("anna", f"guess{number}")
        unknown += worked(f"nobody{number}", "guess")
    assert known / 2 < unknown < known * 2, (known, unknown)
    same(checked(larder), (0, 10))


def processor_s(larder):
    """What all of its threads have used."""
    with open(f"/proc/{larder.process.pid}/stat", encoding="ascii") as data:
        words = data.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@slow(120)
def test_reload_under_load(t):
    """Users come, go and change their passwords while others work; who has not changed is not hashed again."""
    origin = t.origin({"/": PAGE})
    users = {"anna": hashed("secret"), "ben": hashed("secret"), "carl": hashed("secret")}
    larder = proxy(t, users, workers=3)
    for name in users:
        same(ask(larder, origin, headers=basic(name, "secret")).status, 200)
    stop, wrong, count = threading.Event(), [], [0]

    def work():
        with larder.client() as client:
            while not stop.is_set():
                client.request(f"http://127.0.0.1:{origin.port}/", headers=basic("anna", "secret"))
                status = client.read_response().status
                count[0] += 1
                if status != 200:
                    wrong.append(status)
                    return

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(6):
        changed = dict(users, ben=hashed(f"new{turn}"), dora=hashed("secret"))
        del changed["carl"]
        write(larder.users_path, changed)
        larder.command("reload", check=0)
        same([ask(larder, origin, headers=basic(name, word), source=f"127.0.1.{turn + 1}").status for name, word in
              (("anna", "secret"), ("ben", "secret"), ("ben", f"new{turn}"), ("carl", "secret"), ("dora", "secret"))],
             [200, 407, 200, 407, 200])
        write(larder.users_path, users)
        larder.command("reload", check=0)
        same([ask(larder, origin, headers=basic(name, "secret"), source=f"127.0.1.{turn + 1}").status
              for name in ("ben", "carl", "dora")], [200, 200, 407])
    stop.set()
    for thread in threads:
        thread.join()
    same((wrong, count[0] > 20), ([], True))
    # anna, ben and carl once; each turn: ben's new one right, his old one wrong ... carl and dora as strangers once
    right, bad = checked(larder)
    same((right, bad), (3 + 6 + 1, 6 + 1 + 1))


def test_bad_reload(t):
    """A file with a bad line changes nothing, and the line is named, but never its hash."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret")})
    lines = {"anna": hashed("secret"), "md": "$apr1$xxxxxxxx$aaaaaaaaaaaaaaaaaaaaaa", "plain": "hunter2", "": hashed("x")}
    write(larder.users_path, lines)
    done = larder.command("reload")
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "nothing was changed" in text, text
    for line in ('line 2 of', '"md": apr1 (MD5) is too weak; make it anew: htpasswd -B', 'line 3 of', '"plain": the password stands '
                 'here as it is', "line 4 of", "there is no name before the colon"):
        assert line in text, (line, text)
    assert "hunter2" not in text and "$apr1$" not in text, text
    same(ask(larder, origin, headers=basic("anna", "secret")).status, 200)
    os.unlink(larder.users_path)
    done = larder.command("reload")
    assert done.returncode != 0 and "No such file" in done.stdout + done.stderr, done
    same(ask(larder, origin, headers=basic("anna", "secret")).status, 200)


def test_clients_leave(t):
    """Who leaves while his password is looked at leaves nothing behind; the end comes in the middle of it."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret", 900000)}, workers=2)
    for turn in range(3):
        clients = [larder.client() for _ in range(20)]
        for client in clients:
            client.request(f"http://127.0.0.1:{origin.port}/", headers=basic("anna", f"{turn}"))
        settle(0.05)
        for client in clients:
            client.close()
    client = larder.client()
    client.request(f"http://127.0.0.1:{origin.port}/", headers=basic("anna", "secret"))
    settle(0.1)
    larder.signal(15)
    larder.signal(15)
    larder.wait()
    larder.process = None


def test_curl(t):
    """curl, right, wrong and without: for http by the first answer's connection, for https by a new one."""
    origin = t.origin({"/": PAGE})
    larder = proxy(t, {"anna": hashed("secret")})

    def curl(*words):
        done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{http_connect} %{num_connects}", "-x",
                               f"http://127.0.0.1:{larder.port}", *words], capture_output=True, text=True, timeout=100)
        return done.stdout

    url = f"http://127.0.0.1:{origin.port}/"
    same(curl(url), "407 000 1")
    same(curl("--proxy-user", "anna:secret", url), "200 000 1")
    same(curl("--proxy-user", "anna:wrong", url), "407 000 1")
    same(curl("--proxy-anyauth", "--proxy-user", "anna:secret", url), "200 000 1")  # asks first
    same(curl(f"https://127.0.0.1:{origin.port}/").split()[:2], ["000", "407"])
    same(len([r for r in origin.requests]), 1)  # the second was a hit
