#!/bin/sh
# Every test of the project: sh tests/run.sh. Installs what is missing (Debian), builds with sanitizers, runs all,
# and ends with one line `N passed, N failed`; the exit status is 0 only if none failed.
#
#   STEPS="unit e2e" sh tests/run.sh     only these of: checks format lint unit fuzz e2e www
#   SKIP_INSTALL=1                       installs nothing
#   FUZZ_SECONDS=10                      per fuzzer
# Logs are kept in build/test-logs.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
PATH=$PATH:/usr/sbin:/sbin
export PATH
logs=$root/build/test-logs
mkdir -p "$logs"
steps=${STEPS:-checks format lint unit fuzz e2e www}
jobs=$(nproc 2>/dev/null || echo 2)
passed=0
failed=0

wants() { case " $steps " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
headline() { printf '\n== %s (%s)\n' "$1" "$(date +%H:%M:%S)"; }

# result NAME STATUS [LOG]: one test more
result() {
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok   $1"
    else
        failed=$((failed + 1))
        echo "FAIL $1"
        if [ -n "${3:-}" ] && [ -f "$3" ]; then
            tail -n 60 "$3" | sed 's/^/    /'
        fi
    fi
}

# counted NAME LOG STATUS: adds the `N passed, N failed` line of a log; without one it counts as one failure
counted() {
    line=$(sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed$/\1 \2/p' "$2" | tail -n 1)
    if [ -z "$line" ]; then
        result "$1: did not end" 1 "$2"
        return
    fi
    passed=$((passed + ${line% *}))
    failed=$((failed + ${line#* }))
    echo "$1: ${line% *} passed, ${line#* } failed"
    if [ "$3" -ne 0 ] && [ "${line#* }" -eq 0 ]; then
        result "$1: exit status $3" 1 "$2"
    fi
}

finish() {
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

install_missing() {
    missing=
    while read -r package command; do
        case $package in '' | '#'*) continue ;; esac
        if [ -n "$command" ]; then
            command -v "$command" >/dev/null 2>&1 && continue
        elif dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
            continue
        fi
        missing="$missing $package"
    done <tests/packages.txt
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "tests: no apt-get here; install what these Debian packages hold:$missing" >&2
        return 1
    fi
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || {
            echo 'tests: some packages are missing and there is no sudo; run this as root, then start again:' >&2
            echo "tests: apt-get update && apt-get install --no-install-recommends$missing" >&2
            return 1
        }
        sudo=sudo
    fi
    echo "installing:$missing"
    { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $missing; } >"$logs/apt.log" 2>&1 ||
        { tail -n 20 "$logs/apt.log" >&2; return 1; }
    # The tests start nginx themselves; Debian's package has just put one on port 80, for good.
    case " $missing " in
    *' nginx '*) ! command -v systemctl >/dev/null 2>&1 || $sudo systemctl disable --now nginx >>"$logs/apt.log" 2>&1 ;;
    esac
    return 0
}

# Small images of Debian leave out all documentation, and the real site that the browser visits is made of some.
documentation() {
    [ ! -f /usr/share/doc/cmocka-doc/html/index.html ] && command -v apt-get >/dev/null 2>&1 || return 0
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --reinstall --no-install-recommends \
        -o 'Dpkg::Options::=--path-include=/usr/share/doc/cmocka-doc/*' cmocka-doc >"$logs/documentation.log" 2>&1
}

# build NAME CC CMAKE-ARGUMENTS... -- TARGETS...
build() {
    name=$1
    compiler=$2
    shift 2
    arguments=
    while [ "$1" != -- ]; do
        arguments="$arguments $1"
        shift
    done
    shift
    { [ -f "build/$name/build.ninja" ] || CC=$compiler cmake -S . -B "build/$name" -G Ninja $arguments; } \
        >"$logs/build-$name.log" 2>&1 && ninja -C "build/$name" -j "$jobs" "$@" >>"$logs/build-$name.log" 2>&1
    status=$?
    result "build $name" "$status" "$logs/build-$name.log"
    return "$status"
}

sources() {
    find proxy store conf admin www tests -name node_modules -prune -o -name dist -prune -o \
        -name '*.[ch]' -type f -print | sort
}

unit() { # tree [ctest's arguments]
    tree=$1
    shift
    # Most of them wait most of the time.
    ctest --test-dir "build/$tree" -j $((2 * jobs)) --output-on-failure "$@" >"$logs/unit-$tree.log" 2>&1
    line=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' "$logs/unit-$tree.log")
    if [ -z "$line" ]; then
        result "unit tests in $tree" 1 "$logs/unit-$tree.log"
        return
    fi
    passed=$((passed + ${line#* } - ${line% *}))
    failed=$((failed + ${line% *}))
    echo "unit tests in $tree: $((${line#* } - ${line% *})) passed, ${line% *} failed"
    if [ "${line% *}" -ne 0 ]; then
        grep -E '^\[  FAILED|Error|SUMMARY|(Failed)|Timeout' "$logs/unit-$tree.log" | head -n 60 | sed 's/^/    /'
    fi
}

fuzz_one() { # program
    name=$(basename "$1")
    corpus=$(mktemp -d)
    seeds=tests/fuzz/corpus/${name#fuzz_}
    [ -d "$seeds" ] || seeds=
    "$1" "$corpus" $seeds -max_total_time="${FUZZ_SECONDS:-10}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$logs/$name-" >"$logs/$name.log" 2>&1
    echo $? >"$logs/$name.status"
    rm -rf "$corpus"
}

e2e() { # name binary arguments...
    name=$1
    binary=$2
    shift 2
    python3 tests/e2e/run.py --binary "$binary" "$@" >"$logs/e2e-$name.log" 2>&1
    status=$?
    grep -E -A 40 '^not ok' "$logs/e2e-$name.log" | grep -v '^ok '
    grep -E '# skip' "$logs/e2e-$name.log"
    counted "end-to-end on $name" "$logs/e2e-$name.log" "$status"
}

lint() { # leaves its exit status in lint.status
    rm -f "$logs/lint.status"
    : >"$logs/lint.log"
    # Only what the compiler is told about; new files need a new look.
    CC=clang cmake -S . -B build/lint -G Ninja -DCMAKE_BUILD_TYPE=Debug -DWITH_WWW=OFF >"$logs/lint.err" 2>&1 &&
        find proxy store conf admin -name '*.c' | sort |
        nice -n 19 xargs -P "$jobs" -n 4 clang-tidy -p build/lint --quiet >"$logs/lint.log" 2>"$logs/lint.err"
    echo $? >"$logs/lint.status"
}

if [ -z "${SKIP_INSTALL:-}" ]; then
    headline 'packages'
    install_missing
    result 'packages' $?
    [ "$failed" -eq 0 ] || finish
fi

if wants checks; then
    headline 'checks'
    for script in tests/check/*.sh; do
        log=$logs/check-$(basename "$script" .sh).log
        sh "$script" >"$log" 2>&1
        result "check $(basename "$script" .sh)" $? "$log"
    done
fi
if wants format; then
    headline 'formatting'
    sources | xargs clang-format --dry-run -Werror >"$logs/format.log" 2>&1
    result 'clang-format' $? "$logs/format.log"
fi

if wants unit || wants e2e; then
    headline 'builds'
    build asan gcc -DCMAKE_BUILD_TYPE=Debug -DSANITIZE=address -DWITH_TESTS=ON -DWITH_WWW=AUTO -- all
    build tsan gcc -DCMAKE_BUILD_TYPE=Debug -DSANITIZE=thread -DWITH_TESTS=ON -DWITH_WWW=OFF -- all
fi
if wants e2e || wants www; then
    build release gcc -DCMAKE_BUILD_TYPE=Release -DWITH_WWW=AUTO -- larder
fi
# RocksDB is not instrumented: without this every hand-over through it is a false report.
TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=0 second_deadlock_stack=1 ${TSAN_OPTIONS:-}"
export TSAN_OPTIONS

if wants unit; then
    headline 'unit tests'
    unit asan
    unit tsan
fi
if wants fuzz; then
    headline 'fuzzers'
    targets=$(for file in tests/fuzz/fuzz_*.c; do basename "$file" .c; done)
    # shellcheck disable=SC2086 # words are meant
    if build fuzz clang -DCMAKE_BUILD_TYPE=Debug -DSANITIZE=fuzz -DWITH_WWW=OFF -- $targets; then
        running=0
        for target in $targets; do
            fuzz_one "build/fuzz/tests/fuzz/$target" &
            running=$((running + 1))
            if [ $((running % jobs)) -eq 0 ]; then
                wait
            fi
        done
        wait
        for target in $targets; do
            result "$target ($(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$target.log") inputs)" \
                "$(cat "$logs/$target.status")" "$logs/$target.log"
        done
    fi
fi
if wants e2e; then
    headline 'end-to-end tests'
    e2e asan build/asan/larder --letters abcdefghijklnopqrstuvwx --scale 2 --parallel 6
    # What one thread does by itself, and what is about browsers and other clients, is tested above.
    alone=l02,l03,t02,w02_past,w11,w30,w33,w60,w61
    e2e tsan build/tsan/larder --letters bcdfjklnprstuvwx --without "$alone" --scale 3 --parallel 5
    e2e release build/release/larder --letters m
fi
# The dashboard's tests wait more than they work, and clang-tidy leaves them the processors.
if wants lint; then
    headline 'clang-tidy'
    lint &
fi
if wants www && [ -f tests/www/run.sh ]; then
    headline 'dashboard'
    [ -n "${SKIP_INSTALL:-}" ] || documentation || tail -n 5 "$logs/documentation.log"
    LARDER=$root/build/release/larder sh tests/www/run.sh >"$logs/www.log" 2>&1
    status=$?
    grep -E '^(FAIL|not ok)' "$logs/www.log"
    counted 'dashboard' "$logs/www.log" "$status"
fi
if wants lint; then
    wait
    grep -E '(warning|error):' "$logs/lint.log" | sort -u | head -n 40 | sed "s|$root/||; s/^/    /"
    result 'clang-tidy' "$(cat "$logs/lint.status")" "$logs/lint.err"
fi
finish
