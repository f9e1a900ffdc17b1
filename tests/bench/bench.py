#!/usr/bin/env python3
"""Measures Larder, nginx and Varnish in the same run. Called by run.sh; README.md says how to read it."""
import argparse
import json
import os
import platform
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import proxies
from proxies import BenchError, free_port, fetch_count

SYSTEM_PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
WORKLOADS = {}  # name -> Workload, in the order of the table


class Workload:
    """One row: how to fill the cache, what to ask, and what must be true of it afterwards."""

    def __init__(self, name, title, load, *, fill=None, floor=None, aim=None, misses=False, seconds=4,
                 memory="4G", config="ram", idle=0, settle=0.0, warm=1):
        self.name, self.title, self.load, self.fill = name, title, load, fill
        self.floor, self.aim, self.misses, self.seconds = floor, aim, misses, seconds
        self.memory, self.config, self.idle, self.settle, self.warm = memory, config, idle, settle, warm
        self.nginx_file_cache = not misses
        self.large = int(load[load.index("--size") + 1].split("-")[0]) >= 65536
        WORKLOADS[name] = self


Workload("hit1k", "hit 1 KB", ["--size", "1024", "--objects", "100", "--connections", "64"],
         fill=["--size", "1024", "--objects", "100"], floor=1.3, aim=1.7)
Workload("zipf", "hit, 100,000 objects of 1-4 KB, Zipf 0.9",
         ["--size", "1024-4096", "--objects", "100000", "--order", "zipf", "--connections", "64"],
         fill=["--size", "1024-4096", "--objects", "100000"], floor=2.2, aim=3.5)
Workload("hit100k", "hit 100 KB", ["--size", "102400", "--objects", "20", "--connections", "32"],
         fill=["--size", "102400", "--objects", "20"], floor=1.0, aim=1.3)
Workload("hit10m", "hit 10 MB", ["--size", "10485760", "--objects", "3", "--connections", "8"],
         fill=["--size", "10485760", "--objects", "3"], floor=1.2)
Workload("miss1k", "miss 1 KB, stored", ["--size", "1024", "--connections", "64"], floor=2.5, aim=3.5,
         misses=True, settle=2.5, memory="1G")
Workload("miss100k", "miss 100 KB, stored", ["--size", "102400", "--connections", "32"], floor=1.2,
         misses=True, settle=2.5, seconds=3, memory="1G", warm=4)  # the RAM tier is full: each miss evicts
Workload("disk", "hit 100 KB of 2.5 GB, 128 MB of RAM tier",
         ["--size", "102400", "--objects", "25000", "--connections", "32"],
         fill=["--size", "102400", "--objects", "25000"], floor=0.6, aim=1.0, config="disk", memory="128M")
Workload("newconn", "hit 1 KB, new connection each",
         ["--size", "1024", "--objects", "100", "--connections", "32", "--new-connections"],
         fill=["--size", "1024", "--objects", "100"], seconds=3)
Workload("idle10k", "hit 1 KB beside 10,000 idle connections",
         ["--size", "1024", "--objects", "100", "--connections", "64"],
         fill=["--size", "1024", "--objects", "100"], idle=10000)


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.next_id = 1_000_000
        self.create_us = []
        self.notes = []
        self.origin_port = free_port()
        self.origin = subprocess.Popen(
            ["taskset", "-c", options.load_core, os.path.join(options.tools, "origin"), str(self.origin_port)])
        proxies.wait_port(self.origin_port, self.origin)

    def close(self):
        self.origin.terminate()
        self.origin.wait()

    def load(self, proxy, *words):
        """Runs the load generator to its end and returns what it printed."""
        command = ["taskset", "-c", self.options.load_core, os.path.join(self.options.tools, "load"),
                   "--port", str(proxy.port), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise BenchError(f"{proxy.name}: {' '.join(words)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def count(self):
        return fetch_count(self.origin_port)

    def fill(self, proxy, workload):
        """Brings the objects in, then proves that each is there without the origin."""
        objects = workload.fill[workload.fill.index("--objects") + 1]
        every = [*workload.fill, "--order", "each", "--requests", objects, "--connections", "16"]
        self.load(proxy, *every)
        time.sleep(3.0 if workload.config == "disk" else 0.5)
        missed = int(objects)
        for turn in range(8):  # a proxy whose disk lags may drop some while it fills; not for good
            before = self.count()
            self.load(proxy, *every)
            missed = self.count() - before
            if turn == 0 and missed > 0:
                self.notes.append(f"{workload.name}: {proxy.name} had to be filled again, it had dropped {missed} of "
                                  f"{objects} objects.")
            if missed == 0:
                return
            time.sleep(1.0)
        if missed > int(objects) // 200:
            raise BenchError(f"{proxy.name} keeps only {int(objects) - missed} of {objects} objects")

    def warm(self):
        """Memory the machine really has, for everybody; see warm.c. Half of what is free, at most 4 GB."""
        with open("/proc/meminfo", encoding="ascii") as meminfo:
            free_kb = next(int(line.split()[1]) for line in meminfo if line.startswith("MemFree:"))
        size = min(4, free_kb >> 21)
        if size > 0:
            subprocess.run(["taskset", "-c", self.options.load_core, os.path.join(self.options.tools, "warm"),
                            str(size)], check=False, timeout=120)

    def measure(self, proxy, workload, seconds=0):
        """One round for one proxy. Returns its figures."""
        words = list(workload.load)
        first = 0
        if workload.misses:
            first = self.next_id
            self.next_id += 10_000_000
            words += ["--objects", "10000000", "--first", str(first), "--order", "each"]
            self.warm()
        seconds = seconds or (workload.seconds if not self.options.quick else 1)
        origin_before = self.count()
        cpu_before = proxy.cpu_s()
        begin = time.monotonic()
        result = self.load(proxy, *words, "--seconds", str(seconds))
        busy = time.monotonic() - begin
        cpu_busy = proxy.cpu_s() - cpu_before
        time.sleep(workload.settle)  # background writing is part of the price of a miss
        cpu = proxy.cpu_s() - cpu_before
        fetched = self.count() - origin_before
        result["us"] = cpu * 1e6 / result["requests"]
        result["core_used"] = cpu_busy / busy
        result["fetched"] = fetched
        self.judge(proxy, workload, result, first)
        return result

    def judge(self, proxy, workload, result, first):
        """A figure counts only when hits were hits and misses were stored."""
        requests = result["requests"]
        if workload.misses:
            if result["fetched"] != requests:
                raise BenchError(f"{proxy.name}: {requests} misses made {result['fetched']} origin requests")
            sample = min(300, requests)
            step = max(1, requests // sample)
            before = self.count()
            hits = 0
            size = workload.load[workload.load.index("--size") + 1]
            for start in range(3):  # three stretches: the start, the middle and the end
                at = first + start * (requests - sample // 3) // 2
                hits += self.load(proxy, "--size", size, "--objects", str(sample // 3), "--first", str(at),
                                  "--order", "each", "--requests", str(sample // 3), "--connections", "4",
                                  "--sample", "1")["hits"]
            lost = self.count() - before
            result["stored"] = 1 - lost / (sample // 3 * 3)
            if lost > 0 or hits != sample // 3 * 3:
                raise BenchError(f"{proxy.name}: {lost} of {sample // 3 * 3} missed objects were not stored"
                                 f" ({hits} called hits; step {step})")
            return
        share = result["hits"] / requests
        limit = 0.99 if workload.config == "disk" else 0.999
        if share < limit or result["fetched"] > requests * (1 - limit):
            raise BenchError(f"{proxy.name}: only {share:.4%} of the answers were hits, the origin was asked "
                             f"{result['fetched']} times")

    def run(self, workload):
        """All rounds of one workload, interleaved. Returns {proxy name: figures}."""
        folder = tempfile.mkdtemp(prefix=workload.name + "-", dir=self.folder)
        running, results, idle_loads = [], {}, []
        if workload.misses:
            self.create_us.append(proxies.create_us(folder))
        try:
            for make in self.options.makers:
                proxy = make(os.path.join(folder, make.name), self.origin_port, workload, self.options)
                running.append(proxy)
                proxy.start()
                results[proxy.name] = {"rounds": []}
                if workload.fill:
                    self.fill(proxy, workload)
                self.measure(proxy, workload, workload.warm)  # warm: folders made, memory touched, connections open
                if workload.idle:
                    results[proxy.name].update(self.open_idle(proxy, workload, idle_loads))
            for _ in range(self.options.rounds):
                for proxy in list(running):
                    figures = self.measure(proxy, workload)
                    results[proxy.name]["rounds"].append(figures)
                    print(f"  {workload.name:9} {proxy.name:8} {figures['us']:9.2f} us  "
                          f"{figures['requests'] / figures['seconds']:9.0f}/s  core {figures['core_used']:4.0%}"
                          f"  p99 {figures['p99_us']} us", file=sys.stderr, flush=True)
            for process in idle_loads:
                process.stdin.close()
                if process.wait(timeout=60) != 0:
                    raise BenchError("an idle connection was closed: " + process.stderr.read().strip())
        finally:
            for process in idle_loads:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            for proxy in running:
                proxy.stop()
            # What was stored stays until the very end: deleting files slows the making of others, see create_us.
        for figures in results.values():
            rounds = figures["rounds"]
            for key in ("us", "core_used", "p50_us", "p99_us"):
                figures[key] = statistics.median(entry[key] for entry in rounds)
            figures["rate"] = statistics.median(entry["requests"] / entry["seconds"] for entry in rounds)
        return results

    def open_idle(self, proxy, workload, idle_loads):
        count = workload.idle if not self.options.quick else 1000
        before = proxy.rss_bytes()
        process = subprocess.Popen(
            ["taskset", "-c", self.options.load_core, os.path.join(self.options.tools, "load"),
             "--port", str(proxy.port), "--idle", str(count), *workload.fill],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        idle_loads.append(process)
        if not process.stdout.readline():
            raise BenchError(f"{proxy.name}: idle connections: " + process.stderr.read().strip())
        time.sleep(2)
        after = proxy.rss_bytes()
        return {"idle_rss_bytes": (after - before) / count}


def table(results, options):
    """The Markdown the README shows."""
    names = [make.name for make in options.makers]
    lines = []
    head = ["workload"] + [f"{name} us" for name in names]
    ratios = [(a, b) for a in names[:1] for b in names[1:]]
    head += [f"{a} / {b}" for a, b in ratios]
    has_floor = names[0] == "larder" and "nginx" in names
    if has_floor:
        head += ["floor", ""]
    lines.append("| " + " | ".join(head) + " |")
    lines.append("|---|" + "---:|" * (len(head) - 1))
    for name, by_proxy in results.items():
        workload = WORKLOADS[name]
        if "error" in by_proxy:
            lines.append(f"| {workload.title} | failed: {by_proxy['error']} |" + " |" * (len(head) - 2))
            continue
        row = [workload.title] + [f"{by_proxy[n]['us']:.2f}" if by_proxy[n]["us"] < 1000
                                  else f"{by_proxy[n]['us']:.0f}" for n in names]
        row += [f"{by_proxy[b]['us'] / by_proxy[a]['us']:.2f}x" for a, b in ratios]
        if has_floor:
            ratio = by_proxy["nginx"]["us"] / by_proxy["larder"]["us"]
            row += [f"{workload.floor:.1f}x" if workload.floor else "-",
                    "" if not workload.floor else "ok" if ratio >= workload.floor else "BELOW"]
        lines.append("| " + " | ".join(row) + " |")
    for name, by_proxy in results.items():
        if "error" not in by_proxy and WORKLOADS[name].idle:
            lines.append("")
            lines.append("Growth of resident memory per idle connection: " + ", ".join(
                f"{n} {by_proxy[n]['idle_rss_bytes']:.0f} B" for n in names) + ".")
    lines += ["", "Requests per CPU second, thousands:", "",
              "| workload | " + " | ".join(names) + " | share of its core used |", "|---|" + "---:|" * (len(names) + 1)]
    for name, by_proxy in results.items():
        if "error" not in by_proxy:
            lines.append(f"| {name} | " + " | ".join(f"{1000 / by_proxy[n]['us']:.1f}" for n in names) + " | "
                         + " ".join(f"{by_proxy[n]['core_used']:.0%}" for n in names) + " |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(prog="run.sh")
    parser.add_argument("workloads", nargs="*", metavar="workload", help=" ".join(WORKLOADS))
    parser.add_argument("--quick", action="store_true", help="one short round of each, to see that all works")
    parser.add_argument("--rounds", type=int, default=0, help="default 5; with --quick 1")
    parser.add_argument("--only", default="larder,nginx,varnish", help="which proxies, by commas")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--folder", help="where the stores live (default: a fresh ext4 in a file for root, else the system's temporary folder)")
    parser.add_argument("--proxy-core", default="0")
    parser.add_argument("--load-core", default="1")
    options = parser.parse_args()
    options.tools = os.environ["BENCH_TOOLS"]
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    options.larder = os.environ.get("LARDER") or next(
        (path for path in (os.path.join(root, "build/release/larder"), os.path.join(root, "build/larder"))
         if os.access(path, os.X_OK)), None)
    options.rounds = options.rounds or (1 if options.quick else 5)
    for name in options.workloads:
        if name not in WORKLOADS:
            parser.error(f"unknown workload {name}; known: {' '.join(WORKLOADS)}")
    wanted = options.only.split(",")
    options.makers = [make for make in (proxies.Larder, proxies.Nginx, proxies.Varnish) if make.name in wanted]
    if "larder" in wanted and not options.larder:
        print("bench: no larder program; build it into build/release or name it with LARDER=; going on without",
              file=sys.stderr)
        options.makers.remove(proxies.Larder)
    for make in options.makers:
        if make.program and not shutil.which(make.program, path=SYSTEM_PATH):
            sys.exit(f"bench: {make.program} is missing; run: apt-get install {make.package}")
    if not options.makers:
        sys.exit("bench: nothing to measure")
    return options


class FreshFileSystem:
    """A new ext4 in a file, for root: what was deleted on the machine's own file system before makes new files
    dearer for minutes (see create_us), and nginx makes one an object. Elsewhere a plain temporary folder."""

    def __init__(self, parent):
        self.parent = tempfile.mkdtemp(prefix="larder-bench-", dir=parent)
        self.folder, self.device = self.parent, None
        if os.geteuid() == 0 and parent is None and shutil.which("mkfs.ext4", path=SYSTEM_PATH):
            self.mount()

    def run(self, *words):
        done = subprocess.run(words, capture_output=True, text=True, check=False,
                              env=dict(os.environ, PATH=SYSTEM_PATH))
        return done.stdout.strip() if done.returncode == 0 else None

    def mount(self):
        image, place = os.path.join(self.parent, "image"), os.path.join(self.parent, "mounted")
        size = min(40 << 30, shutil.disk_usage(self.parent).free * 3 // 4)  # sparse
        with open(image, "wb") as out:
            out.truncate(size)
        os.mkdir(place)
        if self.run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", image) is None:
            return
        self.device = (self.run("losetup", "--find", "--show", "--direct-io=on", image)
                       or self.run("losetup", "--find", "--show", image))
        if self.device and self.run("mount", self.device, place) is not None:
            self.folder = place
            os.chmod(place, 0o755)
            os.chmod(self.parent, 0o755)

    def remove(self):
        if self.folder != self.parent:
            self.run("umount", self.folder)
        if self.device:
            self.run("losetup", "--detach", self.device)
        shutil.rmtree(self.parent, ignore_errors=True)


def main():
    options = arguments()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(65536, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: needs two cores, one for the proxy and one for the load")
    place = FreshFileSystem(options.folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results, failed = {}, False
    bench = Bench(options, place.folder)
    try:
        for name in options.workloads or WORKLOADS:
            try:
                results[name] = bench.run(WORKLOADS[name])
            except BenchError as error:
                failed = True
                results[name] = {"error": str(error)}
                print(f"  {name}: {error}", file=sys.stderr)
    finally:
        bench.close()
        place.remove()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}; rounds: {options.rounds}; "
          "CPU microseconds per request of the whole proxy, median.\n")
    print(table(results, options))
    for note in bench.notes:
        print("\n" + note)
    if bench.create_us:
        cost = max(bench.create_us)
        print(f"\nMaking one small file cost {cost:.0f} us here"
              + ("; far more than usual: the miss rows flatter the others against nginx. Wait some minutes after "
                 "large deletions on this file system, or use --folder." if cost > 150 else "."))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(results, out, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
