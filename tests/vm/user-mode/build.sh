#!/bin/sh
# Builds the kernel for guests in user mode unless it is there, from the newest kernel sources of Debian's backports:
# kernels before 6.16 can't run on processors with large register sets. Prints the folder that holds it (linux, initrd),
# which is kept outside the tree, named after what it is made of. Takes some minutes of processor time.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${STRATIS_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/stratis-node}
suite=trixie-backports
mirror=${STRATIS_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
network_seconds=900

key=$({ echo "$suite"; cat "$here/build.sh" "$here/config" "$here/init"; } | sha256sum | cut -c1-16)
kernel=$cache/user-mode-$key

finish() {
    echo "$kernel"
    exit 0
}
if [ -e "$kernel/linux" ]; then finish; fi
PATH=$PATH:/usr/sbin:/sbin
for program in bc bison busybox cpio depmod flex make; do
    command -v "$program" > /dev/null || {
        echo "user-mode: $program is missing: apt-get install bc bison busybox-static cpio flex kmod make" >&2
        exit 1
    }
done

mkdir -p "$cache"
exec 9> "$cache/user-mode.lock"
# Another builder may be at it; when it is done, its kernel serves us as well.
flock 9
if [ -e "$kernel/linux" ]; then finish; fi
work=$(mktemp -d "$cache/build-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# An apt of its own, which checks signatures and leaves the machine's alone.
apt() {
    timeout "$network_seconds" "apt-$1" -q -o Dir::State="$work/apt/state" -o Dir::State::status=/dev/null \
        -o Dir::Cache="$work/apt/cache" -o Dir::Etc::SourceList="$work/apt/sources" -o Dir::Etc::SourceParts=- \
        -o APT::Sandbox::User=root -o APT::Architecture="$(dpkg --print-architecture)" "$2" ${3:+"$3"}
}
quietly() {
    "$@" > "$work/log" 2>&1 && return 0
    cat "$work/log" >&2
    return 1
}

mkdir -p "$work/apt/state/lists/partial" "$work/apt/cache/archives/partial"
echo "deb [signed-by=$keyring] $mirror $suite main" > "$work/apt/sources"
quietly apt get update
package=$(apt cache pkgnames linux-source- | grep -E '^linux-source-[0-9.]+$' | sort -V | tail -n 1)
echo "user-mode: building ${package#linux-source-} of Debian's $suite" >&2
(cd "$work" && quietly apt get download "$package")
dpkg-deb -x "$work/$package"_*.deb "$work/source"
rm "$work/$package"_*.deb
tree=$work/$package
tar -C "$work" -xf "$work/source/usr/src/$package.tar.xz"
rm -r "$work/source"

quietly make -C "$tree" ARCH=um defconfig
(cd "$tree" && quietly scripts/kconfig/merge_config.sh -m .config "$here/config")
quietly make -C "$tree" ARCH=um olddefconfig
# An option that has been renamed, or whose needs are not met, is dropped without a word.
grep '^CONFIG_' "$here/config" | while read -r option; do
    grep -qxF "$option" "$tree/.config" || { echo "user-mode: the kernel does not take $option" >&2; exit 1; }
done
quietly make -C "$tree" ARCH=um -j"$(nproc)" linux

out=$work/out
ram=$work/ram
mkdir -p "$out" "$ram/bin" "$ram/modules"
cp "$(command -v busybox)" "$ram/bin/busybox"
for name in cat chmod cp echo ln mkdir mount poweroff rm sh switch_root sync touch umount; do
    ln -s busybox "$ram/bin/$name"
done
install -m755 "$here/init" "$ram/init"
# By which modprobe knows that it has nothing to do.
release=$(make -s -C "$tree" ARCH=um kernelrelease)
modules=$ram/lib/modules/$release
mkdir -p "$modules"
cp "$tree/modules.builtin" "$tree/modules.builtin.modinfo" "$modules/"
: > "$modules/modules.order"
depmod -b "$ram" "$release"
mv "$ram/lib/modules/$release" "$ram/modules/"
(cd "$ram" && find . > "$work/files" && cpio --quiet -o -H newc < "$work/files" > "$work/ram.cpio")
gzip -1 < "$work/ram.cpio" > "$out/initrd"
strip -o "$out/linux" "$tree/linux"
rm -rf "$kernel"
mv "$out" "$kernel"
finish
