#!/bin/sh
# Installs a built tree: what `make install` is elsewhere. The Debian package and the RPM are made of what this installs.
# Usage: [VARIABLE=value]... install.sh
#
#   DESTDIR      goes before every path that is written, but into no file; nothing by default
#   PREFIX       /usr
#   BINDIR       $PREFIX/bin        commands
#   LIBEXECDIR   $PREFIX/libexec    the daemons
#   PKGDIR       $PREFIX/lib/stratis-node   what the links in the two lead to
#   MANDIR       $PREFIX/share/man
#   DOCDIR       $PREFIX/share/doc/stratis-node
#   BASHDIR, ZSHDIR, FISHDIR   where these shells look for completions
#   NODE         absolute path of Node.js for the commands' first line; by default it is found by PATH
#
# The system looks for these in one place only, whatever PREFIX is:
#
#   UNITDIR      /usr/lib/systemd/system
#   UNITEXECDIR  /usr/lib/systemd   scripts of units
#   UDEVDIR      /usr/lib/udev
#   DBUSDIR      /usr/share/dbus-1/system.d
set -eu
cd "$(dirname "$0")/.."
umask 022

DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX:-/usr}
BINDIR=${BINDIR:-$PREFIX/bin}
LIBEXECDIR=${LIBEXECDIR:-$PREFIX/libexec}
PKGDIR=${PKGDIR:-$PREFIX/lib/stratis-node}
MANDIR=${MANDIR:-$PREFIX/share/man}
DOCDIR=${DOCDIR:-$PREFIX/share/doc/stratis-node}
BASHDIR=${BASHDIR:-$PREFIX/share/bash-completion/completions}
ZSHDIR=${ZSHDIR:-$PREFIX/share/zsh/site-functions}
FISHDIR=${FISHDIR:-$PREFIX/share/fish/vendor_completions.d}
UNITDIR=${UNITDIR:-/usr/lib/systemd/system}
UNITEXECDIR=${UNITEXECDIR:-/usr/lib/systemd}
UDEVDIR=${UDEVDIR:-/usr/lib/udev}
DBUSDIR=${DBUSDIR:-/usr/share/dbus-1/system.d}
NODE=${NODE:-}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

for built in build/Release/stratisd build/Release/stratisd-min build/Release/stratis_native.node dist/bin/stratisd.js dist/packaging/assemble.js; do
    [ -e "$built" ] || fail "$PWD/$built is missing; build first: npm ci && npm run build"
done
for path in "$BINDIR" "$LIBEXECDIR" "$PKGDIR" "$MANDIR" "$DOCDIR" "$BASHDIR" "$ZSHDIR" "$FISHDIR" \
    "$UNITDIR" "$UNITEXECDIR" "$UDEVDIR" "$DBUSDIR"; do
    case $path in
        # A blank would end a word in a unit, and a vertical bar the expressions of sed below.
        /*[!A-Za-z0-9/._+-]*) fail "$path has characters that can't be in a path of a unit" ;;
        /*) ;;
        *) fail "$path is not an absolute path" ;;
    esac
done

files() { # mode, directory, files...
    mode=$1
    directory=$DESTDIR$2
    shift 2
    mkdir -p "$directory"
    install -m "$mode" "$@" "$directory"
}

# Units and scripts are written for the usual places.
with_paths() { # mode, directory, file
    mkdir -p "$DESTDIR$2"
    sed -e "s|/usr/libexec/stratisd|$LIBEXECDIR/stratisd|g" \
        -e "s|/usr/lib/systemd/stratis-|$UNITEXECDIR/stratis-|g" \
        -e "s|/usr/bin/stratis|$BINDIR/stratis|g" "$3" > "$DESTDIR$2/$(basename "$3")"
    chmod "$1" "$DESTDIR$2/$(basename "$3")"
}

# The addon is found relative to the scripts, the daemon's script relative to its launcher, and links are followed.
files 755 "$PKGDIR/build/Release" build/Release/stratisd build/Release/stratisd-min
files 644 "$PKGDIR/build/Release" build/Release/stratis_native.node
mkdir -p "$DESTDIR$BINDIR" "$DESTDIR$LIBEXECDIR"
for daemon in stratisd stratisd-min; do
    ln -sfr "$DESTDIR$PKGDIR/build/Release/$daemon" "$DESTDIR$LIBEXECDIR/$daemon"
done
commands=$(node dist/packaging/assemble.js "$DESTDIR$PKGDIR" "$DESTDIR$DOCDIR/copyright" ${NODE:+"$NODE"})
for command in $commands; do
    ln -sfr "$DESTDIR$PKGDIR/dist/bin/$command.js" "$DESTDIR$BINDIR/$command"
done

files 644 "$DBUSDIR" dbus-policy/stratisd.conf
files 644 "$UDEVDIR/rules.d" udev/61-stratisd.rules
files 755 "$UDEVDIR" build/Release/stratis-base32-decode build/Release/stratis-str-cmp
for unit in systemd/*.service systemd/*.timer; do with_paths 644 "$UNITDIR" "$unit"; done
files 644 "$UNITDIR/dev-stratis-.device.d" systemd/dev-stratis-.device.d/10-stratis.conf
with_paths 755 "$UNITEXECDIR" systemd/stratis-fstab-setup

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
node dist/cli/man/write-pages.js "$made"
files 644 "$MANDIR/man8" man/*.8 "$made"/*.8
node dist/cli/complete/write-scripts.js "$made"
files 644 "$ZSHDIR" "$made/_stratis"
files 644 "$FISHDIR" "$made/stratis.fish"
mkdir -p "$DESTDIR$BASHDIR"
install -m 644 "$made/stratis.bash" "$DESTDIR$BASHDIR/stratis"
