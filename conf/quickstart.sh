#!/bin/sh
# From a fresh Debian 12 to a running Larder:
#   sh conf/quickstart.sh                          a demonstration: proxy, dashboard and a demo site; Ctrl-C removes it
#   sh conf/quickstart.sh http://127.0.0.1:3000    Larder before your site (or https://...); its cache stays in the folder it prints
# What follows the URL is handed to `larder demo`, see `larder help demo`.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
say() { printf 'quickstart: %s\n' "$*" >&2; }

case ${1:-} in
-h | --help | help)
    sed -n '2,5s/^# //p' "$0"
    exit 0
    ;;
http://?* | https://?* | '' | -*) ;;
*)
    say "\"$1\" is no URL; use http://HOST:PORT or https://HOST of your site"
    exit 2
    ;;
esac

packages='build-essential cmake ninja-build pkg-config librocksdb-dev libcurl4-openssl-dev libssl-dev libmicrohttpd-dev
libxxhash-dev libcjson-dev zlib1g-dev libbrotli-dev libcrypt-dev libpcre2-dev libc-ares-dev libnghttp2-dev libjemalloc-dev ca-certificates'
# The dashboard is built with node; any node from version 18 will do.
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    packages="$packages nodejs npm"
fi
# Small installations have no curl, and the lines that the demonstration prints start with it.
command -v curl >/dev/null 2>&1 || packages="$packages curl"

missing=
if command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1; then
    for package in $packages; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        sudo=
        if [ "$(id -u)" -ne 0 ]; then
            if ! command -v sudo >/dev/null 2>&1; then
                say 'some packages are missing and there is no sudo; run this as root, then start again:'
                say "apt-get update && apt-get install --no-install-recommends$missing"
                exit 1
            fi
            sudo=sudo
        fi
        say "installing:$missing"
        $sudo apt-get update
        # shellcheck disable=SC2086 # words are meant
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
    fi
else
    for tool in cc cmake ninja pkg-config; do
        command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
    done
    for library in rocksdb libcurl libcrypto libmicrohttpd libxxhash libcjson zlib libbrotlienc libcrypt libcares; do
        if command -v pkg-config >/dev/null 2>&1; then
            pkg-config --exists "$library" || missing="$missing $library"
        fi
    done
    if [ -n "$missing" ]; then
        say "no apt-get here. Install these yourself, then run this again:$missing"
        say "(on Debian they are: $(echo $packages))"
        exit 1
    fi
fi

build=$root/build/release
log=$root/build/quickstart.log
without=$build/www/without # written by www/bundle.cmake: why there is no dashboard
mkdir -p "$root/build"
if [ -f "$without" ]; then
    rm -f "$build/www/assets_data.c" # try again: the network may be back
fi
say 'building; the first time takes a minute or two'
if ! { cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release && ninja -C "$build" larder; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    say "the build failed; all of it is in $log"
    exit 1
fi
if [ -f "$without" ]; then
    say "the dashboard will be a plain page: $(cat "$without")"
    say "all else works. What npm said is in $log; run this again and it is tried again"
fi

case ${1:-} in
http://* | https://*)
    origin=$1
    shift
    store=${XDG_STATE_HOME:-${HOME:+$HOME/.local/state}}
    store=${store:+$store/larder}
    if [ -z "$store" ] || ! mkdir -p "$store" 2>/dev/null; then
        store=$PWD/larder-data
        mkdir -p "$store"
    fi
    say "the cache stays in $store"
    exec "$build/larder" demo --origin "$origin" --store "$store" "$@"
    ;;
*)
    exec "$build/larder" demo "$@"
    ;;
esac
