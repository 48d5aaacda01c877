#!/bin/sh
# Makes the stock image a guest for tests, before its systemd starts. Run by busybox in the initramfs; $1: the root.
set -eu
root=$1
units=$root/etc/systemd/system

# Without it systemd takes this for the first boot of a new machine and sets up every unit anew.
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
echo stratis-guest > "$root/etc/hostname"
touch "$root/etc/.updated" "$root/var/.updated"

# What no test needs and each boot would pay for. lvm2's units would also look into the devices under test.
for unit in apt-daily-upgrade.timer apt-daily.timer blk-availability.service dev-hugepages.mount \
    dev-mqueue.mount dm-event.socket dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer getty-static.service getty@tty1.service ldconfig.service lvm2-lvmpolld.socket \
    lvm2-monitor.service modprobe@configfs.service modprobe@fuse.service proc-sys-fs-binfmt_misc.automount \
    remote-fs.target run-lock.mount serial-getty@ttyS0.service sys-fs-fuse-connections.mount \
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    systemd-ask-password-console.path systemd-ask-password-wall.path systemd-binfmt.service \
    systemd-firstboot.service systemd-hwdb-update.service systemd-journal-catalog-update.service \
    systemd-journal-flush.service systemd-logind.service systemd-machine-id-commit.service \
    systemd-pstore.service systemd-random-seed.service systemd-sysusers.service systemd-tmpfiles-clean.timer \
    systemd-update-done.service systemd-user-sessions.service tmp.mount xfs_scrub_all.timer; do
    ln -sf /dev/null "$units/$unit"
done

mkdir -p "$root/opt/stratis-vm" "$units/multi-user.target.wants" "$units/stratisd.service.d"
dist=dist
for word in $(cat /proc/cmdline); do
    case $word in stratis.dist=*) dist=${word#*=} ;; esac
done
cp "$root/project/$dist/tests/vm/guest/agent.js" "$root/opt/stratis-vm/agent.js"
cat > "$units/stratis-vm-agent.service" << 'UNIT'
[Unit]
Description=Runs commands for the host
After=basic.target dbus.socket
[Service]
Environment=HOME=/root LC_ALL=C.UTF-8
ExecStart=/usr/bin/node /opt/stratis-vm/agent.js
# Commands of the host are no part of the agent: a stop of it must not wait for them.
KillMode=process
TasksMax=infinity
UNIT
ln -sf ../stratis-vm-agent.service "$units/multi-user.target.wants/stratis-vm-agent.service"

# A test that kills the daemon decides itself when it comes back.
printf '[Service]\nRestart=no\n' > "$units/stratisd.service.d/vm.conf"

sh "$root/project/tests/vm/guest/install.sh" "$root/project" "$root"
