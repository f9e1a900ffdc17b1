#!/usr/bin/env python3
"""Runs the end-to-end tests: python3 tests/e2e/run.py --binary build/asan/larder [--only a01,b] [--letters bcd]

Each test is a function test_* in <letter><nn>_<name>.py and runs in a process of its own. Output is TAP; the last line
is `N passed, N failed`."""
import argparse
import ast
import importlib
import os
import resource
import selectors
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77
# RocksDB is not instrumented: without this every hand-over through it is a false report.
os.environ.setdefault("TSAN_OPTIONS", "ignore_noninstrumented_modules=1 halt_on_error=0 second_deadlock_stack=1")


def find_tests(only, without, letters):
    """[(file, function, timeout)] without running the files."""
    tests = []
    for name in sorted(os.listdir(HERE)):
        if not (name.endswith(".py") and len(name) > 4 and name[1:3].isdigit() and name[3] == "_"):
            continue
        if letters and name[0] not in letters:
            continue
        with open(os.path.join(HERE, name), encoding="utf-8") as data:
            tree = ast.parse(data.read(), name)
        for node in tree.body:
            if not (isinstance(node, ast.FunctionDef) and node.name.startswith("test_")):
                continue
            title = f"{name[:-3]}:{node.name[5:]}"
            if only and not any(word in title for word in only) or any(word in title for word in without):
                continue
            seconds = 60
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "slow":
                    seconds = mark.args[0].value
            tests.append((name[:-3], node.name, seconds))
    return tests


def run_one(module, function):
    """In the child: exit status 0, 1 or 77 (skipped), the reason on standard output."""
    from case import Case, Skip
    case = Case()
    try:
        getattr(importlib.import_module(module), function)(case)
    except Skip as reason:
        case.end(judge=False)
        print(reason)
        return SKIPPED
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        for larder in case.larders:
            print("--- larder said:\n" + (larder.output() if larder.outputs else "not started"))
            try:
                larder.judge()
            except AssertionError as report:
                print(report)
        for origin in case.origins:
            for error in origin.errors:
                print(f"--- origin: {error!r}")
        try:
            case.end(judge=False)
        except Exception:
            traceback.print_exc(file=sys.stdout)
        return 1
    try:
        case.end()
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        return 1
    return 0


class Running:
    """A test in a process forked from this one: starting Python and reading the helpers anew takes as long as many a
    test. Its session is its own, so that itself and what it started can be ended together."""

    def __init__(self, number, test, scale):
        self.number, self.limit_s = number, test[2] * scale
        self.output, self.is_late = b"", False
        self.begin = time.monotonic()
        self.pipe, end = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            nothing = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((nothing, 0), (end, 1), (end, 2)):
                os.dup2(source, target)
            os.close(end)
            os.close(self.pipe)
            sys.exit(run_one(test[0], test[1]))
        os.close(end)

    def read(self):
        """False at the end of what it says."""
        data = os.read(self.pipe, 65536)
        self.output += data
        return data != b""

    def left_s(self):
        return self.begin + self.limit_s - time.monotonic()

    def kill(self):
        self.is_late = True
        self.output += f"\ntimed out after {self.limit_s:.0f} s\n".encode()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has ended, and left a child with its output
            pass

    def end(self):
        """(exit status, output, seconds)"""
        os.close(self.pipe)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return 1 if self.is_late else code, self.output.decode("utf-8", "replace"), time.monotonic() - self.begin


def run_all(tests, parallel, scale):
    """Yields (number, (exit status, output, seconds)) as the tests end."""
    waiting = list(enumerate(tests, 1))
    with selectors.DefaultSelector() as running:
        while waiting or running.get_map():
            while waiting and len(running.get_map()) < parallel:
                one = Running(*waiting.pop(0), scale)
                running.register(one.pipe, selectors.EVENT_READ, one)
            nearest = min((key.data.left_s() for key in running.get_map().values() if not key.data.is_late), default=None)
            for key, _ in running.select(nearest and max(nearest, 0)):
                if not key.data.read():
                    running.unregister(key.fileobj)
                    yield key.data.number, key.data.end()
            for key in list(running.get_map().values()):
                if key.data.left_s() <= 0 and not key.data.is_late:
                    key.data.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=os.environ.get("LARDER"))
    parser.add_argument("--only", default="", help="words, by commas, that a test's name must hold one of")
    parser.add_argument("--without", default="", help="words that it must hold none of")
    parser.add_argument("--letters", default="", help="only files that begin with one of these letters")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every deadline, for slow builds")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.one:
        sys.path.insert(0, HERE)
        sys.exit(run_one(*options.one.split(":")))
    only, without = ([word for word in words.split(",") if word] for words in (options.only, options.without))
    tests = find_tests(only, without, options.letters)
    if options.list:
        for module, function, seconds in tests:
            print(f"{module}:{function[5:]} ({seconds} s)")
        return 0
    root = os.path.dirname(os.path.dirname(HERE))
    binary = os.path.abspath(options.binary or os.path.join(root, "build/larder"))
    if not os.access(binary, os.X_OK):
        sys.exit(f"e2e: no program at {binary}; name it with --binary")
    print(f"1..{len(tests)}", flush=True)
    counts = {0: 0, 1: 0, SKIPPED: 0}
    os.environ.update(LARDER=binary, LARDER_PATIENCE=str(options.scale))
    sys.path.insert(0, HERE)
    importlib.import_module("case")  # for all tests, before they are forked
    for number, (code, output, took) in run_all(tests, options.parallel, options.scale):
        module, function, _ = tests[number - 1]
        code = code if code in counts else 1
        counts[code] += 1
        verdict = "not ok" if code == 1 else "ok"
        note = f" # skip {output.strip().splitlines()[-1] if output.strip() else ''}" if code == SKIPPED else ""
        print(f"{verdict} {number} - {module}:{function[5:]} ({took:.1f} s){note}", flush=True)
        if code == 1:
            print("".join(f"    # {line}\n" for line in output.rstrip().splitlines()), end="", flush=True)
    if counts[SKIPPED]:
        print(f"# {counts[SKIPPED]} skipped")
    print(f"{counts[0]} passed, {counts[1]} failed")
    return 1 if counts[1] else 0


if __name__ == "__main__":
    sys.exit(main())
