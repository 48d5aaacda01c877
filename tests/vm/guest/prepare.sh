#!/bin/sh
# Makes the stock image a guest for tests, before its systemd starts. Run by busybox in the initramfs; $1: the root.
set -eu
root=$1
units=$root/etc/systemd/system

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

sh "$root/project/tests/vm/guest/agent.sh" "$root"
mkdir -p "$units/stratisd.service.d"

# A test that kills the daemon decides itself when it comes back.
printf '[Service]\nRestart=no\n' > "$units/stratisd.service.d/vm.conf"

# Another version of libcryptsetup than Debian's, to try the daemon with.
if [ -d "$root/project/build/libraries" ]; then
    printf '[Service]\nEnvironment=LD_LIBRARY_PATH=/project/build/libraries\n' > "$units/stratisd.service.d/libraries.conf"
fi

sh "$root/project/tests/vm/guest/install.sh" "$root/project" "$root"
