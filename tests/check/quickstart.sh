#!/bin/sh
# What conf/quickstart.sh hands to `larder demo`, with stand-ins for all it would install and build.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
mkdir -p "$room/conf" "$room/bin" "$room/build/release"
cp "$here/conf/quickstart.sh" "$room/conf/"
for tool in cmake ninja node npm curl apt-get; do
    printf '#!/bin/sh\nexit 0\n' >"$room/bin/$tool"
done
printf '#!/bin/sh\necho install ok installed\n' >"$room/bin/dpkg-query"
printf '#!/bin/sh\necho "larder $*"\n' >"$room/build/release/larder"
chmod +x "$room/bin"/* "$room/build/release/larder"

failed=0
# expect WANTED ARGUMENT...
expect() {
    wanted=$1
    shift
    got=$(PATH="$room/bin:$PATH" XDG_STATE_HOME="$room/state" sh "$room/conf/quickstart.sh" "$@" 2>/dev/null)
    if [ "$got" != "$wanted" ]; then
        echo "quickstart.sh $*: \"$got\", expected \"$wanted\""
        failed=1
    fi
}
store=$room/state/larder
expect "larder demo"
expect "larder demo --port 8090" --port 8090
expect "larder demo --origin http://127.0.0.1:3000 --store $store" http://127.0.0.1:3000
expect "larder demo --origin https://www.example.com --store $store" https://www.example.com
expect "larder demo --origin https://a.example --store $store --port 8090" https://a.example --port 8090
expect "" ftp://a.example
[ $failed -eq 0 ] && echo "ok - quickstart: what it starts"
exit $failed
