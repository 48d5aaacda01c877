#!/bin/sh
# Mounts the project anew in a guest that runs on, so that it sees what the host has built since. The share can be
# mounted but once, so the old mount has to go first.
set -eu
systemctl stop stratisd 2> /dev/null || :
tries=0
until umount /project; do
    tries=$((tries + 1))
    if [ "$tries" -ge 20 ]; then
        echo "refresh: /project stays busy; processes with files of it:" >&2
        ls -l /proc/[0-9]*/fd /proc/[0-9]*/exe /proc/[0-9]*/cwd 2> /dev/null | grep /project >&2
        exit 1
    fi
    sleep 0.2
done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro project /project
sh /project/tests/vm/guest/install.sh /project /
systemctl daemon-reload
udevadm control --reload
busctl --quiet call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig
