#!/usr/bin/env python3
"""The rows `tunnel`: CONNECT through Larder and Debian's Squid in the same run. Called by run.sh; README.md says more."""
import argparse
import json
import os
import pwd
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

import proxies
from proxies import BenchError, Proxy, free_port

GB = 1 << 30
ROWS = [  # name, title, words of tunnels.c, in what it is counted, how many of it there are in all
    ("down1", "1 tunnel, to the client", ["--tunnels", "1", "--down", str(2 * GB)], "GB", 2),
    ("down64", "64 tunnels, to the client", ["--tunnels", "64", "--down", str(GB // 32)], "GB", 2),
    ("both64", "64 tunnels, both ways at once", ["--tunnels", "64", "--down", str(GB // 64), "--up", str(GB // 64)], "GB", 2),
    ("message", "64 tunnels, messages of 1 KB to and fro", ["--tunnels", "64", "--messages", "2000", "--size", "1024"],
     "1000 messages", 128),
    ("new", "new tunnels, 1 KB each way", ["--tunnels", "32", "--short", "300"], "1000 tunnels", 9.6),
]


class Larder(Proxy):
    name = "larder"

    def command(self):
        path = self.write("larder.conf", f"""
workers 1;
listen 127.0.0.1:{self.port} {{ forward office; }}
state_dir {self.folder}/state;
admin {{ listen 127.0.0.1:{free_port()}; socket {self.folder}/admin.sock; }}
store {{ path off; size 1G; memory 64M; }}
log {{ access off; error {self.folder}/error.log; }}
forward office {{ acl {{ allow bench to loopback port 1-65535; }} }}
""")
        os.makedirs(os.path.join(self.folder, "state"))
        return [self.options.larder, "run", "-c", path]


class Squid(Proxy):
    name, program, package = "squid", "squid", "squid"

    def command(self):
        owner = pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            owner = "proxy"
            shutil.chown(self.folder, owner)
        path = self.write("squid.conf", f"""
http_port 127.0.0.1:{self.port}
http_access allow all
cache deny all
cache_mem 8 MB
access_log none
cache_log {self.folder}/cache.log
pid_filename none
coredump_dir {self.folder}
cache_effective_user {owner}
visible_hostname bench
shutdown_lifetime 1 second
max_filedescriptors 65536
via off
forwarded_for delete
""")
        return ["squid", "-N", "-f", path]


def measure(proxy, row, options):
    """(CPU milliseconds for one unit, MB or units a second)."""
    _, _, words, unit, count = row
    before = proxy.cpu_s()
    done = subprocess.run(["taskset", "-c", options.load_core, os.path.join(options.tools, "tunnels"), "--port",
                           str(proxy.port), *words], capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise BenchError(f"{proxy.name}: {done.stderr}")
    said = json.loads(done.stdout)
    speed = said["bytes"] / said["seconds"] / 1e6 if unit == "GB" else count * 1000 / said["seconds"]
    return (proxy.cpu_s() - before) / count * 1000, speed


def arguments():
    parser = argparse.ArgumentParser(prog="run.sh tunnel")
    parser.add_argument("rows", nargs="*", help=" ".join(row[0] for row in ROWS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="larder,squid")
    parser.add_argument("--proxy-core", default="0")
    parser.add_argument("--load-core", default="1")
    options = parser.parse_args()
    options.tools = os.environ["BENCH_TOOLS"]
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    options.larder = os.environ.get("LARDER") or os.path.join(root, "build/release/larder")
    options.makers = [make for make in (Larder, Squid) if make.name in options.only.split(",")]
    for make in options.makers:
        if make.program and not shutil.which(make.program, path=os.environ["PATH"] + ":/usr/sbin"):
            sys.exit(f"bench: {make.program} is missing; run: apt-get install {make.package}")
    return options


def main():
    options = arguments()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(65536, hard) if hard > 0 else 65536), hard))
    folder = tempfile.mkdtemp(prefix="larder-bench-")
    os.chmod(folder, 0o755)
    running = []
    try:
        for make in options.makers:
            proxy = make(os.path.join(folder, make.name), 0, None, options)
            running.append(proxy)
            proxy.start()
        names = [proxy.name for proxy in running]
        print("| tunnels | counted in | " + " | ".join(f"{name}: CPU ms each | a second" for name in names) + " | ratio |")
        print("|---|---|" + "---:|---:|" * len(names) + "---:|")
        for row in [row for row in ROWS if not options.rows or row[0] in options.rows]:
            figures = {name: [] for name in names}
            for _ in range(options.rounds):
                for proxy in running:
                    figures[proxy.name].append(measure(proxy, row, options))
            middle = [[statistics.median(f[i] for f in figures[name]) for i in (0, 1)] for name in names]
            ratio = f"{middle[1][0] / middle[0][0]:.1f}x" if len(middle) == 2 and middle[0][0] > 0 else "-"
            what = " MB" if row[3] == "GB" else ""
            print(f"| {row[1]} | {row[3]} | " + " | ".join(f"{ms:.0f} | {speed:.0f}{what}" for ms, speed in middle)
                  + f" | {ratio} |", flush=True)
    finally:
        for proxy in running:
            proxy.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
