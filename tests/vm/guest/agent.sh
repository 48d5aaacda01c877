#!/bin/sh
# Gives a root file system an identity and the agent, by which the host runs commands in the guest. All that a guest gets
# that should be as a user's machine is. Run by busybox in the initramfs; $1: the root.
set -eu
root=$1
units=$root/etc/systemd/system

# Without it systemd takes this for the first boot of a new machine and sets up every unit anew.
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
echo stratis-guest > "$root/etc/hostname"
touch "$root/etc/.updated" "$root/var/.updated"

mkdir -p "$root/opt/stratis-vm"
dist=dist
for word in $(cat /proc/cmdline); do
    case $word in stratis.dist=*) dist=${word#*=} ;; esac
done
cp "$root/project/$dist/tests/vm/guest/agent.js" "$root/opt/stratis-vm/agent.js"
# Without the default dependencies, which a boot that fails does not meet: what went wrong is asked by way of the agent.
cat > "$units/stratis-vm-agent.service" << 'UNIT'
[Unit]
Description=Runs commands for the host
DefaultDependencies=no
After=basic.target dbus.socket
Conflicts=shutdown.target
Before=shutdown.target
IgnoreOnIsolate=yes
[Service]
Environment=HOME=/root LC_ALL=C.UTF-8
ExecStart=/usr/bin/node /opt/stratis-vm/agent.js
# Commands of the host are no part of the agent: a stop of it must not wait for them.
KillMode=process
TasksMax=infinity
UNIT
for target in multi-user emergency rescue; do
    mkdir -p "$units/$target.target.wants"
    ln -sf ../stratis-vm-agent.service "$units/$target.target.wants/stratis-vm-agent.service"
done
