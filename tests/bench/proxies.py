"""The three proxies under test: how each is configured, started, watched and stopped."""
import os
import resource
import socket
import subprocess
import sys
import time
import urllib.request

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
USED_PORTS = set()


class BenchError(Exception):
    pass


def free_port():
    """A free loopback port below the range the kernel gives to clients."""
    for port in range(18100, 19900):
        if port in USED_PORTS:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        USED_PORTS.add(port)
        return port
    raise BenchError("no free port")


def wait_port(port, process, limit_s=20):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if process.poll() is not None:
            raise BenchError(f"{process.args}: ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise BenchError(f"{process.args}: nothing listens on {port}")


def fetch_count(port):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://127.0.0.1:{port}/count", timeout=10) as answer:
        return int(answer.read())


def create_us(folder):
    """CPU microseconds to create one small file here. ext4 without a journal looks around recently deleted
    inodes for minutes after many deletions (recently_deleted), and nginx, one file an object, pays for it."""
    place = os.path.join(folder, f"probe-{time.monotonic_ns()}")
    os.mkdir(place)
    begin = time.process_time()
    for number in range(300):
        with open(os.path.join(place, str(number)), "wb") as out:
            out.write(b"x" * 1400)
    return (time.process_time() - begin) / 300 * 1e6


def process_tree(pid):
    """pid and all its descendants that live."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children.get(one, [])
    return found


class Proxy:
    name = program = package = None

    def __init__(self, folder, origin_port, workload, options):
        self.folder, self.origin_port, self.workload, self.options = folder, origin_port, workload, options
        self.port = free_port()
        self.process = None
        os.makedirs(folder)

    def command(self):
        raise NotImplementedError

    def start(self):
        self.log = open(os.path.join(self.folder, "output"), "wb")
        self.process = subprocess.Popen(["taskset", "-c", self.options.proxy_core, *self.command()],
                                        cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
        try:
            wait_port(self.port, self.process)
        except BenchError as error:
            with open(os.path.join(self.folder, "output"), encoding="utf-8", errors="replace") as output:
                raise BenchError(f"{self.name}: {error}\n{output.read()[-2000:]}") from None

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            print(f"bench: {self.name} did not stop on SIGTERM", file=sys.stderr)
            for pid in reversed(process_tree(self.process.pid)):
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            self.process.wait()

    def cpu_s(self):
        """User and system time of every thread of every process, those that ended included."""
        ticks = 0
        for pid in process_tree(self.process.pid):
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS_PER_S

    def rss_bytes(self):
        """Private memory of all processes: what is shared with others is not the connections' doing."""
        total = 0
        for pid in process_tree(self.process.pid):
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as rollup:
                for line in rollup:
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        return total

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path


class Larder(Proxy):
    name = "larder"

    def command(self):
        path = self.write("larder.conf", f"""
workers 1;
listen 127.0.0.1:{self.port};
state_dir {self.folder}/state;
admin {{ listen 127.0.0.1:{free_port()}; socket {self.folder}/admin.sock; }}
store {{ path {self.folder}/store; size 8G; memory {self.workload.memory}; }}
log {{ access off; error {self.folder}/error.log; }}
limits {{ connections 30000; client_idle 600s; }}
site * {{
    origins {{ server bench http://127.0.0.1:{self.origin_port}; keepalive 256; }}
    cache {{ default_ttl 0; }}
}}
""")
        os.makedirs(os.path.join(self.folder, "state"))
        return [self.options.larder, "run", "-c", path]


class Nginx(Proxy):
    """One worker; big buffers, connections kept to the origin, temporary files inside the cache folder, no
    logs, no lock. Measured here and chosen for each row: open_file_cache for hits; sendfile for 100 KB and
    more, without it below (one write less: 16 us against 20 for 1 KB). tcp_nopush is off: with it and Linux 6
    each 100 KB hit waits 40 ms for a delayed ACK and costs three times the CPU."""

    name, program, package = "nginx", "nginx", "nginx"

    def command(self):
        user = "user root;" if os.geteuid() == 0 else ""
        file_cache = ""
        if self.workload.nginx_file_cache:
            files = min(200000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 13000)
            file_cache = (f"open_file_cache max={max(files, 1000)} inactive=600s; open_file_cache_valid 600s; "
                          "open_file_cache_min_uses 1;")
        path = self.write("nginx.conf", f"""
daemon off; worker_processes 1; pid {self.folder}/pid; {user}
error_log {self.folder}/error.log crit;
events {{ worker_connections 30000; }}
http {{
    access_log off; server_tokens off;
    sendfile {'on' if self.workload.large else 'off'}; tcp_nopush off; tcp_nodelay on;
    keepalive_requests 1000000000; keepalive_timeout 600s; reset_timedout_connection off;
    {file_cache}
    client_body_temp_path {self.folder}/t1; proxy_temp_path {self.folder}/t2; fastcgi_temp_path {self.folder}/t3;
    uwsgi_temp_path {self.folder}/t4; scgi_temp_path {self.folder}/t5;
    upstream origin {{ server 127.0.0.1:{self.origin_port}; keepalive 256; keepalive_requests 1000000000; }}
    proxy_cache_path {self.folder}/cache levels=1:2 keys_zone=main:256m inactive=1d max_size=16g use_temp_path=off;
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location / {{
            proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_cache main; proxy_cache_key $request_uri; proxy_cache_lock off;
            proxy_buffer_size 8k; proxy_buffers 16 64k; proxy_busy_buffers_size 256k;
            add_header X-Cache $upstream_cache_status;
        }}
    }}
}}
""")
        return ["nginx", "-p", self.folder, "-c", path]


class Varnish(Proxy):
    """One pool; RAM storage of 4 GB, for the disk row a file storage of 4 GB."""

    name, program, package = "varnish", "varnishd", "varnish"

    def command(self):
        path = self.write("default.vcl", f"""vcl 4.1;
backend origin {{ .host = "127.0.0.1"; .port = "{self.origin_port}"; }}
sub vcl_hash {{ hash_data(req.url); return (lookup); }}
sub vcl_deliver {{ if (obj.hits > 0) {{ set resp.http.X-Cache = "HIT"; }} }}
""")
        storage = f"file,{self.folder}/storage,4G" if self.workload.config == "disk" else "malloc,4G"
        words = ["varnishd", "-F", "-n", os.path.join(self.folder, "n"), "-a", f"127.0.0.1:{self.port}", "-f", path,
                 "-s", storage, "-T", "none"]
        if os.geteuid() == 0:
            words += ["-j", "none"]
        for setting in ("thread_pools=1", "thread_pool_min=200", "thread_pool_max=2000", "timeout_idle=600",
                        "listen_depth=4096", "vsl_mask=-Hit,-HitMiss,-HitPass", "ban_lurker_sleep=0"):
            words += ["-p", setting]
        return words
