#!/bin/sh
# Prints tables of times and sizes. Nothing fails on a time.
# Usage: run.sh [PART]...   parts: dbus (the service with the simulator, on this machine) cli (the command)
#                              helpers (what udev calls) guest (a real kernel's)
#                              and, only when they are named: boot (until the filesystems of /etc/fstab are mounted)
#                              many (a start with up to 300 filesystems)
#                              in-place (encryption in place, beside cryptsetup's)
# STRATIS_VM_ACCEL=user-mode: the guests of guest, many and in-place are kernels in user mode.
# STRATIS_UPSTREAM: folder of the sources of stratisd 3.9.2, built for Debian 13, to measure beside ours in the guests.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- dbus cli helpers guest

for part in "$@"; do
    case $part in
        dbus | cli | helpers | guest | boot | many | in-place) ;;
        *)
            echo "run.sh: there is no part \"$part\"; the parts are dbus, cli, helpers, guest, boot, many and in-place" >&2
            exit 2
            ;;
    esac
done
case " $* " in
    *" guest "* | *" boot "* | *" many "* | *" in-place "*) sh tests/setup.sh --image ;;
    *) sh tests/setup.sh ;;
esac

# With a /run of its own: the daemon has its pid file there, and one that serves this machine is left alone.
measure_dbus() {
    user=
    [ "$(id -u)" = 0 ] || user=--map-root-user
    unshare $user --mount sh -c 'mount -t tmpfs tmpfs /run && exec node dist/bench/dbus.js'
}
measure_cli() { node dist/bench/cli.js; }
measure_guest() { node dist/bench/main.js; }

for part in "$@"; do
    case $part in
        dbus | cli | guest) "measure_$part" ;;
        *) node "dist/bench/$part.js" ;;
    esac
done
