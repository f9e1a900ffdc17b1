"""Runs the real binary with a configuration in a temporary folder."""
import ctypes
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse

from client import PATIENCE, Client, fetch, wait_for

BINARY = os.environ.get("LARDER", "")
SANITIZER = re.compile(rb"ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer|check failed")
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


RESERVED = []


def free_port():
    """A free port below the range the kernel hands to clients. Ours until this process ends: its UDP port is kept
    bound, so that neither this test nor one beside it is given the same again."""
    while True:
        port = random.randint(20000, 32000)
        held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            held.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        RESERVED.append(held)
        return port


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Larder:
    """One configured daemon; start() and stop() as often as wanted, the store stays."""

    def __init__(self, folder, origin_port, *, size="256M", memory="64M", store="", cache="", limits="", origins="",
                 site="", extra="", workers=2, access="json", disk=True, admin="metrics open;", sites=None, log="",
                 timeouts="connect=5s first_byte=15s idle=15s", store_path=None, listen=""):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.port, self.admin_port = free_port(), free_port()
        self.socket_path = os.path.join(folder, "admin.sock")
        self.config_path = os.path.join(folder, "larder.conf")
        self.store_path = store_path or os.path.join(folder, "store")
        self.access_path = os.path.join(folder, "access.log")
        self.error_path = os.path.join(folder, "error.log")
        self.settings = dict(size=size, memory=memory, store=store, cache=cache, limits=limits, origins=origins,
                             site=site, extra=extra, workers=workers, access=access, disk=disk, admin=admin,
                             sites=sites, log=log, timeouts=timeouts, origin_port=origin_port, listen=listen)
        self.process = None
        self.outputs = 0
        self.write_config()

    def config(self):
        s = self.settings
        sites = s["sites"] or f"""
site * {{
    origins {{
        server main http://127.0.0.1:{s['origin_port']};
        timeout {s['timeouts']};
        keepalive 32;
        {s['origins']}
    }}
    cache {{ purge from 127.0.0.1; {s['cache']} }}
    {s['site']}
}}"""
        path = self.store_path if s["disk"] else "off"
        access = f"{self.access_path} {s['access']}" if s["access"] != "off" else "off"
        return f"""workers {s['workers']};
listen 127.0.0.1:{self.port} {{ {s['listen']} }}
state_dir {self.folder}/state;
admin {{ listen 127.0.0.1:{self.admin_port}; socket {self.socket_path}; {s['admin']} }}
store {{ path {path}; size {s['size']}; memory {s['memory']}; flush 200ms; {s['store']} }}
log {{ access {access}; error {self.error_path} info; {s['log']} }}
limits {{ {s['limits']} }}
{sites}
{s['extra']}
"""

    def write_config(self, text=None, **changes):
        self.settings.update(changes)
        with open(self.config_path, "w", encoding="utf-8") as out:
            out.write(text if text is not None else self.config())

    def start(self, wait=True, limits=None, env=None):
        """limits: {resource: value} for the child."""
        import resource

        def prepare():
            die_with_parent()
            for key, value in (limits or {}).items():
                resource.setrlimit(key, (value, value))

        self.outputs += 1
        self.output_path = os.path.join(self.folder, f"output.{self.outputs}")
        with open(self.output_path, "wb") as out:
            self.process = subprocess.Popen([BINARY, "run", "-c", self.config_path], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out, cwd=self.folder, preexec_fn=prepare, env=env)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, limit_s=30):
        def check():
            if self.process.poll() is not None:
                raise AssertionError(f"larder ended with {self.process.returncode} at its start:\n{self.output()}")
            try:
                answer = self.admin("/readyz")
                if answer.status != 200 or b"recovering" in answer.body:  # it serves, but does not know all it has
                    return False
                with socket.socket(socket.AF_UNIX) as probe:  # opened after the port
                    probe.connect(self.socket_path)
                return True
            except (OSError, AssertionError):
                return False
        wait_for(check, limit_s, "readiness")

    def output(self):
        text = ""
        for path in (self.output_path, self.error_path):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as data:
                    text += data.read()[-6000:]
        return text

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, limit_s=30):
        """Waits for its end and judges it. Returns the exit status."""
        try:
            code = self.process.wait(limit_s * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(30)
            raise AssertionError(f"larder did not stop within {limit_s} s\n{self.output()}") from None
        self.judge()
        return code

    def judge(self):
        """No sanitizer report and no failed invariant in anything it wrote."""
        for number in range(1, self.outputs + 1):
            with open(os.path.join(self.folder, f"output.{number}"), "rb") as data:
                text = data.read()
            found = SANITIZER.search(text)
            if found:
                raise AssertionError("larder reported:\n" + text[max(0, found.start() - 500):found.start() + 6000]
                                     .decode("utf-8", "replace"))

    def stop(self, limit_s=30):
        """SIGTERM and a clean end."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait(limit_s)
        self.process = None
        if code != 0:
            raise AssertionError(f"larder ended with {code}\n{self.output()}")

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self.process = None
        self.judge()

    def restart(self):
        self.stop()
        return self.start()

    def fetch(self, target="/", method="GET", **words):
        return fetch(self.port, target, method, **words)

    def client(self, **words):
        return Client(self.port, **words)

    # -- the operators' side

    def admin(self, target, method="GET", token=None, body=None, headers=()):
        fields = list(headers)
        if token:
            fields.append(("Authorization", f"Bearer {token}"))
        if body is not None:
            fields.append(("Content-Type", "application/json"))
            body = json.dumps(body).encode()
        return fetch(self.admin_port, target, method, host=f"127.0.0.1:{self.admin_port}", headers=fields, body=body)

    def api(self, target, method="GET", body=None):
        """The API over the Unix socket, where our own user and root are administrators. Returns (status, JSON)."""
        client = Client.__new__(Client)
        client.socket = socket.socket(socket.AF_UNIX)
        client.socket.settimeout(30 * PATIENCE)
        client.socket.connect(self.socket_path)
        client.buffer, client.ended = b"", False
        fields = [("Connection", "close")]
        data = None
        if body is not None:
            fields.append(("Content-Type", "application/json"))
            data = json.dumps(body).encode()
        with client:
            client.request(target, method, host="localhost", headers=fields, body=data)
            response = client.read_response(method)
        try:
            return response.status, json.loads(response.body or b"null")
        except ValueError:
            raise AssertionError(f"{target}: not JSON: {response.body[:300]!r}") from None

    def purge(self, url, mode="hard"):
        status, answer = self.api("/api/v1/purges", "POST", {"select": {"urls": [url]}, "mode": mode})
        assert status == 200, (status, answer)
        return answer

    def cli(self, *words, check=None, timeout=60):
        """Runs a command of the same binary with this configuration's socket."""
        done = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=timeout * PATIENCE,
                              preexec_fn=die_with_parent, cwd=self.folder, stdin=subprocess.DEVNULL)
        if SANITIZER.search(done.stderr.encode()):
            raise AssertionError(done.stderr)
        if check is not None:
            assert done.returncode == check, (words, done.returncode, done.stdout, done.stderr)
        return done

    def command(self, name, *words, check=None, timeout=60):
        """A command that talks to this daemon (status, purge, reload)."""
        return self.cli(name, "-c", self.config_path, *words, check=check, timeout=timeout)

    def metrics(self):
        """{name{labels}: value}"""
        answer = self.admin("/metrics")
        assert answer.status == 200, answer
        values = {}
        for line in answer.body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def all_written(self):
        """Waits until all that was stored is where kill -9 leaves it: no fill, an empty queue, the log's tail sealed."""
        tail = os.path.join(self.store_path, "tail")

        def check():
            metrics = self.metrics()
            return (metrics["larder_store_fills"] == 0 and metrics["larder_store_queued_write_bytes"] == 0
                    and not os.path.exists(tail))
        for _ in range(2):  # twice: what has just ended its fill may not be in the queue yet
            wait_for(check, 30, "everything written")
            time.sleep(0.05)

    # -- what it takes of the machine

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def disk_bytes(self):
        """What all files of the store take, by their length."""
        total = 0
        for folder, _, names in os.walk(self.store_path):
            for name in names:
                try:
                    total += os.stat(os.path.join(folder, name)).st_size
                except FileNotFoundError:
                    pass
        return total

    def access_lines(self):
        if not os.path.exists(self.access_path):
            return []
        with open(self.access_path, encoding="utf-8") as data:
            return data.read().splitlines()

    def access_records(self):
        return [json.loads(line) for line in self.access_lines()]

    def is_sanitized(self):
        with open(BINARY, "rb") as data:
            text = data.read()
        return b"__asan_init" in text or b"__tsan_init" in text

    def url(self, target, host="site.test"):
        return f"http://{host}{urllib.parse.quote(target, safe='/?=&%')}"

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
