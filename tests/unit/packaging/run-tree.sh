#!/bin/sh
# Runs what is in an unpacked package, in namespaces of its own: the tree is read-only, /run is empty, and the system
# bus has the package's policy. What is started ends with this script, because it is process 1 here.
# Usage: run-tree.sh TREE NODE
set -eu
tree=$1
node=$2

mount -t tmpfs tmpfs /run
mount --bind "$tree" "$tree"
mount -o remount,bind,ro "$tree"
if touch "$tree/written" 2> /dev/null; then
    echo "The tree can be written to" >&2
    exit 1
fi

cat > /run/bus.conf << END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
  </policy>
  <includedir>$tree/usr/share/dbus-1/system.d</includedir>
</busconfig>
END
dbus-daemon --config-file=/run/bus.conf --fork
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus STRATIS_NODE="$node"

# The service manager and the journal, as far as the daemon sees of them: what they get is added to a file.
receive() { # socket, file
    mkdir -p "$(dirname "$1")"
    python3 -c '
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
with open(sys.argv[2], "wb", buffering=0) as got:
    while True: got.write(receiver.recv(65536) + b"\n")
' "$1" "$2" &
    until [ -S "$1" ]; do sleep 0.1; done
}
receive /run/notify /run/notified
receive /run/systemd/journal/socket /run/journal
export NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=300000

wait_for() { # file, text
    tries=0
    until grep -q "$2" "$1"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 200 ] || ! kill -0 "$daemon" 2> /dev/null; then
            echo "'$2' did not come; $1 has:" >&2
            cat "$1" /run/log >&2
            exit 1
        fi
        sleep 0.1
    done
}
"$tree/usr/libexec/stratisd" --sim --log-level info 2> /run/log &
daemon=$!
wait_for /run/log 'D-Bus API is available'
"$node" "$tree/usr/bin/stratis" --version
"$node" "$tree/usr/bin/stratis" daemon version
"$node" "$tree/usr/bin/stratis" pool create data /dev/sim
"$node" "$tree/usr/bin/stratis" pool list
for told in READY=1 WATCHDOG=1 'STATUS=1 pool'; do
    wait_for /run/notified "$told"
    echo "$told"
done
kill -INT "$daemon"
wait "$daemon"
tail -n 2 /run/notified

# Once more, with standard error where the journal would be: messages become entries.
: > /run/log
stream=$(stat --format=%d:%i /run/log)
JOURNAL_STREAM=$stream "$tree/usr/libexec/stratisd" --sim --log-level info 2>> /run/log &
daemon=$!
wait_for /run/journal 'D-Bus API is available'
"$node" "$tree/usr/bin/stratis" pool create data /dev/sim
wait_for /run/journal STRATIS_DURATION_MS
sed -n '/^MESSAGE=CreatePool: /,/^STRATIS_DURATION_MS/p' /run/journal
kill -INT "$daemon"
wait "$daemon"
cat /run/log
