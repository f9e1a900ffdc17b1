#!/usr/bin/env python3
"""Runs the end-to-end tests: python3 tests/e2e/run.py --binary build/asan/larder [--only a01,b] [--letters bcd]

Each test is a function test_* in <letter><nn>_<name>.py and runs in a process of its own. Output is TAP; the last line
is `N passed, N failed`."""
import argparse
import ast
import concurrent.futures
import os
import resource
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def find_tests(only, letters):
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
            if only and not any(word in title for word in only):
                continue
            seconds = 60
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "slow":
                    seconds = mark.args[0].value
            tests.append((name[:-3], node.name, seconds))
    return tests


def run_one(module, function):
    """In the child: exit status 0, 1 or 77 (skipped), the reason on standard output."""
    import importlib
    import traceback
    sys.path.insert(0, HERE)
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


def start_one(test, binary, scale):
    module, function, seconds = test
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--one", f"{module}:{function}"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=dict(os.environ, LARDER=binary, LARDER_PATIENCE=str(scale)), start_new_session=True)
    try:
        output, _ = process.communicate(timeout=seconds * scale)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the test's own session: itself and what it started
        output, _ = process.communicate()
        output += f"\ntimed out after {seconds * scale:.0f} s\n".encode()
        code = 1
    return code, output.decode("utf-8", "replace"), time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=os.environ.get("LARDER"))
    parser.add_argument("--only", default="", help="words, by commas, that a test's name must hold one of")
    parser.add_argument("--letters", default="", help="only files that begin with one of these letters")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every deadline, for slow builds")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.one:
        sys.exit(run_one(*options.one.split(":")))
    tests = find_tests([word for word in options.only.split(",") if word], options.letters)
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
    with concurrent.futures.ThreadPoolExecutor(options.parallel) as pool:
        waiting = {pool.submit(start_one, test, binary, options.scale): number
                   for number, test in enumerate(tests, 1)}
        for done in concurrent.futures.as_completed(waiting):
            number = waiting[done]
            module, function, _ = tests[number - 1]
            code, output, took = done.result()
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
