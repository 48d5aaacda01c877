#!/bin/sh
# Makes kernel, initramfs and root image of a Debian tree.
# Usage: assemble.sh TREE OUT   (TREE: a folder, or a tar file when run under fakeroot; a folder is consumed)
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$1
out=$2
PATH=$PATH:/usr/sbin:/sbin
if [ -f "$root" ]; then
    tree=$out/tree
    mkdir "$tree"
    # Device nodes can't be made without root, and devtmpfs brings the guest its own.
    tar -C "$tree" --exclude='./dev/*' -xf "$root"
    # fakeroot's root can't read what its user may not, such as the shadow files.
    chmod -R u+rwX "$tree"
    root=$tree
fi

release=$(ls "$root/usr/lib/modules")
cp "$root/boot/vmlinuz-$release" "$out/vmlinuz"
chmod 644 "$out/vmlinuz"
rm -rf "$root/boot"

ram=$out/ram
mkdir -p "$ram/bin" "$ram/modules"
cp "$(command -v busybox)" "$ram/bin/busybox"
for name in cat chmod cp echo grep insmod ln mkdir mount poweroff rm sh switch_root sync touch umount usleep; do
    ln -s busybox "$ram/bin/$name"
done
install -m755 "$here/init" "$ram/init"

# The module and all that it needs, in the order of loading: modules.dep names needs last to first.
with_needs() {
    awk -F': *' -v module="$1" '
        { name = $1; sub(".*/", "", name); sub("[.]ko.*", "", name) }
        name == module { count = split($2, needs, " "); for (i = count; i > 0; i--) print needs[i]; print $1; found = 1 }
        END { exit !found }' "$modules/modules.dep" ||
        grep -q "/$1[.]ko" "$modules/modules.builtin" || { echo "image: the kernel has no module $1" >&2; exit 1; }
}

# crc32c_generic: ext4 asks for crc32c by a name that no dependency file knows.
modules=$root/usr/lib/modules/$release
for module in crc32c_generic virtio_blk virtio_console ext4 overlay 9pnet_virtio 9p; do
    with_needs "$module" >> "$out/modules"
done
awk '!seen[$0]++' "$out/modules" > "$out/modules.once"
while read -r file; do
    case $file in
        # The kernel would have to be asked to decompress them; busybox can't.
        *.xz) xz -dc "$modules/$file" > "$ram/modules/$(basename "$file" .xz)" ;;
        *) cp "$modules/$file" "$ram/modules/" ;;
    esac
    basename "$file" .xz >> "$ram/modules/order"
done < "$out/modules.once"
# Without a pipe, whose status would be that of its last command.
(cd "$ram" && find . > "$out/ram.files" && cpio --quiet -o -H newc < "$out/ram.files" > "$out/ram.cpio")
gzip -1 < "$out/ram.cpio" > "$out/initrd"

mke2fs -q -t ext4 -O ^has_journal -d "$root" "$out/root.img" 1G
rm -rf "$ram" "$out/ram.files" "$out/ram.cpio" "$out/modules" "$out/modules.once" "$out/tree"
