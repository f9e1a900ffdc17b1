#!/bin/sh
# Tests of the dashboard: types, pure logic, and the page in Chromium.
#   sh tests/www/run.sh                        against a stand-in for the admin server
#   LARDER=build/larder sh tests/www/run.sh    also against the real program: in demo mode, and before a real site
#   ONLY=site LARDER=... sh tests/www/run.sh   the real site alone; ONLY=PATTERN: states and behaviour of that name
# SCREENSHOTS=DIR (default build/screenshots) takes pictures of every state. UPDATE_SCREENSHOT=1 waits until
# the charts of the real program are full and copies the picture that the README shows to www/dashboard.png.
# BUILD=DIR (default build/www-tests) holds the packages. The last line says how many passed.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/www-tests}
SCREENSHOTS=${SCREENSHOTS:-$root/build/screenshots}
mkdir -p "$build/www" "$build/tests/www" "$SCREENSHOTS" || exit 1
build=$(cd "$build" && pwd)
SCREENSHOTS=$(cd "$SCREENSHOTS" && pwd)
SCREENSHOT_COPY=$root/www/dashboard.png
if [ -n "${LARDER:-}" ]; then
    LARDER=$(cd "$(dirname "$LARDER")" && pwd)/$(basename "$LARDER")
    export LARDER
fi
export SCREENSHOTS SCREENSHOT_COPY

passed=0
failed=0
step() { # name, command...
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok   $name"
    else
        failed=$((failed + 1))
        echo "FAIL $name"
    fi
}
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

# Packages are installed anew only when a lock file has changed.
packages() { # folder below root and build
    if ! cmp -s "$root/$1/package-lock.json" "$build/$1/installed-lock.json"; then
        (cd "$build/$1" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null) || return 1
        cp "$root/$1/package-lock.json" "$build/$1/installed-lock.json"
    fi
}

rm -rf "$build/www/src" "$build/www/public" "$build/tests/www/unit" "$build/unit"
cp -R "$root/www/src" "$root/www/public" "$root/www/build.mjs" "$root/www/tsconfig.json" \
    "$root/www/package.json" "$root/www/package-lock.json" "$build/www/" || exit 1
cp -R "$root"/tests/www/unit "$root"/tests/www/*.mjs "$root"/tests/www/*.json "$build/tests/www/" || exit 1

step 'packages of www' packages www
step 'packages of tests/www' packages tests/www
[ "$failed" -eq 0 ] || finish

step 'types' sh -c "cd '$build/www' && '$build/tests/www/node_modules/.bin/tsc' --noEmit -p ."
step 'bundle' sh -c "cd '$build/www' && node build.mjs '$build/dist'"
[ "$failed" -eq 0 ] || finish

(cd "$build/tests/www" && node build-unit.mjs "$build/unit") || failed=$((failed + 1))
node --test --test-reporter=tap "$build"/unit/*.mjs >"$build/unit.tap"
grep -E -A 20 '^ *not ok' "$build/unit.tap"
passed=$((passed + $(sed -n 's/^# pass //p' "$build/unit.tap")))
failed=$((failed + $(sed -n 's/^# fail //p' "$build/unit.tap")))
sed -n 's/^# pass /unit tests passed: /p' "$build/unit.tap"

(cd "$build/tests/www" && node browser.mjs "$build/dist" ${ONLY:+"$ONLY"}) >"$build/browser.log" 2>&1
cat "$build/browser.log"
counts=$(sed -n 's/^browser: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$build/browser.log")
if [ -n "$counts" ]; then
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
else
    echo 'FAIL the browser tests did not end'
    failed=$((failed + 1))
fi
finish
