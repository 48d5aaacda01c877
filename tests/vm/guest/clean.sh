#!/bin/sh
# Leaves the guest as the next case wants it, whatever the last one left behind: no daemon, no mounts, no devices of
# Stratis or of a case, blank disks. Arguments: the disks to blank.
set -eu
if systemctl is-active --quiet stratisd; then systemctl stop stratisd; fi
systemctl reset-failed stratisd > /dev/null 2>&1 || :
for pid in $(pidof stratisd || :); do kill -9 "$pid"; done

left_devices() { dmsetup ls | sed -En 's/^((stratis-1|case)-[^[:space:]]*).*/\1/p'; }

pass=0
while [ "$pass" -lt 40 ]; do
    for device in $(left_devices); do
        for mount in $(findmnt -rno TARGET "/dev/mapper/$device" || :); do umount -R "$mount" || :; done
        # What is still used by a device above it goes in a later pass.
        dmsetup remove "$device" > /dev/null 2>&1 || dmsetup resume "$device" > /dev/null 2>&1 || :
    done
    [ -n "$(left_devices)" ] || break
    pass=$((pass + 1))
    if [ "$pass" -gt 5 ]; then sleep 0.2; fi
done
left=$(left_devices)
if [ -n "$left" ]; then
    echo "clean: these devices can't be removed:" >&2
    dmsetup info -c >&2
    exit 1
fi
for disk in "$@"; do
    if [ -e "$disk" ]; then
        blkdiscard -f "$disk"
        blkdiscard -f -z -l 16MiB "$disk"
    fi
done
udevadm settle --timeout=60
