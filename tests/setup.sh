#!/bin/sh
# Everything that tests, demo and benchmarks need, and nothing twice: system packages, npm packages, the addon,
# TypeScript; with --image also the guest's image, which is built beside the rest.
# Usage: setup.sh [--image]
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)

network_seconds=900
build_log=$(mktemp)
trap 'rm -f "$build_log"' EXIT
say() { echo "setup: $*" >&2; }

# A step that needs the network: bounded, and tried once more, because mirrors have bad moments.
from_network() {
    timeout "$network_seconds" "$@" && return 0
    say "'$*' failed or took longer than $network_seconds s; once more"
    timeout "$network_seconds" "$@"
}

node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 17) ? 0 : 1)' || {
    say "Node.js 20.17 or newer is needed, this is $(node --version)"
    exit 1
}

packages="busybox-static ca-certificates cmake cpio dbus debian-archive-keyring dpkg-dev e2fsprogs g++ gzip
    libblkid-dev libcryptsetup-dev libudev-dev make meson mmdebstrap pkg-config python3 qemu-system-x86 udev util-linux
    xfsprogs xz-utils zlib1g-dev zstd"
# The shells whose completions, and the reader whose pages are tested.
packages="$packages fish mandoc zsh"
# For the Python packages of tests/compat, one of which is compiled.
packages="$packages git libdbus-1-dev libglib2.0-dev python3-dev python3-venv"
# Without root mmdebstrap works in a user namespace, and fakeroot gives the image root's files.
if [ "$(id -u)" != 0 ]; then packages="$packages fakeroot uidmap"; fi

missing=
for package in $packages; do
    # A line for each architecture. The whole of it counts: a package that was removed is "not-installed".
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed ||
        missing="$missing $package"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        say "these packages are missing; install them with:"
        echo "sudo apt-get install --yes --no-install-recommends$missing" >&2
        exit 1
    fi
    say "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    from_network apt-get update -q
    # shellcheck disable=SC2086 # a list of words
    from_network apt-get install -q --yes --no-install-recommends $missing
fi

image=
if [ "${1:-}" = --image ]; then
    sh tests/vm/image/build.sh > /dev/null &
    image=$!
fi

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "npm ci"
    # Without scripts: the only one is npm's own idea to run node-gyp where there is a binding.gyp, a second build.
    from_network npm ci --ignore-scripts --no-audit --no-fund
    # npm gives the file the time of the lock file's packages, not of the installation.
    touch node_modules/.package-lock.json
fi

# Shows what a step said only when it failed.
quietly() {
    "$@" > "$build_log" 2>&1 && return 0
    cat "$build_log" >&2
    return 1
}

# newer STAMP PATH...: whether anything below the paths is newer than the stamp, or there is no stamp
newer() {
    stamp=$1
    shift
    [ ! -e "$stamp" ] || [ -n "$(find "$@" -newer "$stamp" -print -quit)" ]
}

if newer build/Release/.stamp native CMakeLists.txt package-lock.json; then
    say "building the addon"
    quietly npm run --silent build:native
    touch build/Release/.stamp
fi
if newer dist/.stamp src cli tests bench packaging tsconfig.json package-lock.json; then
    say "compiling TypeScript"
    npm run --silent build:ts
    touch dist/.stamp
fi

if [ -n "$image" ]; then
    wait "$image" || {
        say "the guest's image could not be built"
        exit 1
    }
fi
say "ready in $root"
