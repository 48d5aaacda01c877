#!/bin/sh
# Installs what belongs on a system from the project: policy, udev rules and their helpers, unit, links.
# Busybox runs it for the guest's root before systemd is up; refresh.sh runs it later, in the guest.
# Usage: install.sh PROJECT ROOT
set -eu
project=$1
root=${2%/}

mkdir -p "$root/usr/share/dbus-1/system.d" "$root/usr/libexec"
cp "$project/dbus-policy/stratisd.conf" "$root/usr/share/dbus-1/system.d/"
cp "$project"/systemd/strat*.service "$root/usr/lib/systemd/system/"
cp "$project/systemd/stratis-fstab-setup" "$root/usr/lib/systemd/"
chmod 755 "$root/usr/lib/systemd/stratis-fstab-setup"
cp "$project"/udev/*.rules "$root/usr/lib/udev/rules.d/"
for helper in stratis-base32-decode stratis-str-cmp; do
    # A tree of which only the TypeScript is built can still run cases that need no daemon.
    if [ -e "$project/build/Release/$helper" ]; then
        cp "$project/build/Release/$helper" "$root/usr/lib/udev/"
    else
        echo "install: $project/build/Release/$helper is not built" >&2
    fi
done
# Where the guest sees the project, whatever $1 was called when this ran.
ln -sf /project/build/Release/stratisd "$root/usr/libexec/stratisd"
ln -sf /project/build/Release/stratisd-min "$root/usr/libexec/stratisd-min"
ln -sf /project/dist/bin/stratis-min.js "$root/usr/bin/stratis-min"
ln -sf /project/dist/cli/stratis.js "$root/usr/bin/stratis"
ln -sf /project/dist/bin/stratis-predict-usage.js "$root/usr/bin/stratis-predict-usage"
