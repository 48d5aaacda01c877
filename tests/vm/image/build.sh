#!/bin/sh
# Builds the guest's image unless it is there. Prints two lines: the folder that holds it (root.img, vmlinuz, initrd),
# and the folder of a `node` of this machine that runs in the guest, empty when the image has one of its own.
# The image is kept outside the tree, named after what it is made of: the package list and the scripts of this folder.
# Usage: build.sh [NODE [own]]   NODE: the program that the guest should run, by default the one in PATH; own: the image
# shall have one of its own in any case
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${STRATIS_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/stratis-node}
suite=trixie
fallback_mirror=http://deb.debian.org/debian
bootstrap_seconds=900

# The guest runs the machine's own Node where that needs no library that the image lacks; distributions' packages of
# Node need a dozen, and then the image gets the one of its own distribution.
node=$(readlink -f "${1:-$(command -v node)}")
foreign=$(ldd "$node" | awk '{ sub(".*/", "", $1); print $1 }' |
    grep -Ev '^(linux-vdso|ld-linux.*|lib(c|m|dl|rt|pthread|atomic|gcc_s|stdc[+][+]))[.]so' || :)
if [ -z "$foreign" ] && [ "$(basename "$node")" = node ] && [ "${2:-}" != own ]; then
    node_folder=$(dirname "$node")
    extra=
else
    node_folder=
    extra=,nodejs
fi

arch=$(dpkg --print-architecture)
packages=$(sort "$here/packages.txt" | paste -sd, -)$extra
key=$({ echo "$arch $suite $packages"; cat "$here/build.sh" "$here/assemble.sh" "$here/init"; } | sha256sum | cut -c1-16)
image=$cache/image-$key

finish() {
    echo "$image"
    echo "$node_folder"
    exit 0
}
if [ -e "$image/root.img" ]; then finish; fi

mkdir -p "$cache"
exec 9> "$cache/build.lock"
# Another builder may be at it; when it is done, its image serves us as well.
flock 9
if [ -e "$image/root.img" ]; then finish; fi
work=$(mktemp -d "$cache/build-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
log=$work/log

# The mirror that this machine's apt uses, when it is a Debian mirror: it may be the only one within reach.
host_mirror() {
    command -v apt-get > /dev/null || return 0
    # shellcheck disable=SC2016 # these are apt's own variables
    apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' "Created-By: Packages" |
        sed -n 's#^\(https\{0,1\}://[^ ]*/debian\)/\{0,1\} main$#\1#p' | head -n 1
}

# Proxies and checks of dates that this machine's apt is set to; mmdebstrap's apt does not read its configuration.
host_apt_options() {
    command -v apt-config > /dev/null || return 0
    apt-config dump | grep -Ei '^Acquire::((https?::)?Proxy|https?::Proxy::.*|Check-Valid-Until|Check-Date) "[^"]+"' || :
}

bootstrap() { # mirror, where to
    # No initrd of the distribution: ours is smaller. Drivers that no guest has and texts that no test reads stay out.
    INITRD=No timeout "$bootstrap_seconds" mmdebstrap --quiet --variant=minbase --include="$packages" \
        --aptopt="$work/apt.conf" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=*/kernel/drivers/gpu/*' --dpkgopt='path-exclude=*/kernel/drivers/media/*' \
        --dpkgopt='path-exclude=*/kernel/drivers/net/*' --dpkgopt='path-exclude=*/kernel/drivers/iio/*' \
        --dpkgopt='path-exclude=*/kernel/drivers/infiniband/*' --dpkgopt='path-exclude=*/kernel/drivers/usb/*' \
        --dpkgopt='path-exclude=*/kernel/sound/*' \
        "$suite" "$2" "$1" >> "$log" 2>&1
}

# Root gets a folder; for others mmdebstrap makes a tar file, which fakeroot turns into an image with root's files.
fetch() {
    if [ "$(id -u)" = 0 ]; then target=$work/root; else target=$work/root.tar; fi
    for mirror in "${STRATIS_MIRROR:-$(host_mirror)}" "$fallback_mirror"; do
        [ -n "$mirror" ] || continue
        echo "image: installing Debian $suite from $mirror" >&2
        if bootstrap "$mirror" "$target"; then return 0; fi
        rm -rf "$target"
    done
    cat "$log" >&2
    echo "image: mmdebstrap failed; its messages are above" >&2
    return 1
}

host_apt_options > "$work/apt.conf"
fetch
mkdir "$work/out"
if [ "$(id -u)" = 0 ]; then
    sh "$here/assemble.sh" "$target" "$work/out" >&2
else
    fakeroot sh "$here/assemble.sh" "$target" "$work/out" >&2
fi
mv "$work/out" "$image"
finish
