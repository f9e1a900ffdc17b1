#!/bin/sh
# Larder, nginx and Varnish side by side: `sh tests/bench/run.sh [--quick] [workload...]`; `run.sh tunnel` compares
# tunnels with Squid; see README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
missing=
for pair in gcc:gcc python3:python3 taskset:util-linux; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
if [ -n "$missing" ]; then
    echo "bench: missing; run: apt-get install$missing" >&2
    exit 2
fi
tools=$root/build/bench
mkdir -p "$tools"
for name in origin load warm tunnels; do
    if [ ! -x "$tools/$name" ] || [ -n "$(find "$here/$name.c" "$here/body.h" -newer "$tools/$name")" ]; then
        gcc -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -o "$tools/$name" "$here/$name.c" -lm
    fi
done
if [ "${1:-}" = tunnel ]; then
    shift
    BENCH_TOOLS=$tools exec python3 "$here/tunnel.py" "$@"
fi
BENCH_TOOLS=$tools exec python3 "$here/bench.py" "$@"
