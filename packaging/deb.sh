#!/bin/sh
# Makes the Debian package of a built tree. Prints the path of the package.
# Usage: deb.sh [DIRECTORY]   by default build/package
set -eu
cd "$(dirname "$0")/.."
umask 022

out=${1:-build/package}
debian=packaging/debian
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
control=$tree/DEBIAN
mkdir -p "$control"

# The same tree gives the same package: files are no younger than the last entry of the changelog.
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l "$debian/changelog" -S Timestamp)
export SOURCE_DATE_EPOCH
version=$(dpkg-parsechangelog -l "$debian/changelog" -S Version)
architecture=$(dpkg --print-architecture)

DESTDIR=$tree NODE=/usr/bin/node ZSHDIR=/usr/share/zsh/vendor-completions sh packaging/install.sh

compiled="usr/lib/stratis-node/build/Release/stratisd usr/lib/stratis-node/build/Release/stratisd-min
    usr/lib/stratis-node/build/Release/stratis_native.node
    usr/lib/udev/stratis-base32-decode usr/lib/udev/stratis-str-cmp"
for file in $compiled; do strip --strip-unneeded --remove-section=.comment "$tree/$file"; done

doc=$tree/usr/share/doc/stratis-node
gzip -9nc "$debian/changelog" > "$doc/changelog.Debian.gz"
gzip -9n "$tree"/usr/share/man/man8/*.8
mkdir -p "$tree/usr/share/lintian/overrides"
install -m 644 "$debian/lintian-overrides" "$tree/usr/share/lintian/overrides/stratis-node"

# The libraries that the compiled parts are linked with, in the versions that have the symbols they use. What they load
# by themselves (native/crypt_library.cc) is named in the control file. dpkg-shlibdeps wants to see a source package.
mkdir -p "$work/source/debian"
printf 'Source: stratis-node\n\nPackage: stratis-node\nArchitecture: any\n' > "$work/source/debian/control"
libraries=$(cd "$work/source" && dpkg-shlibdeps -O \
    "$tree/usr/lib/stratis-node/build/Release/stratisd" \
    -e"$tree/usr/lib/stratis-node/build/Release/stratis_native.node" | sed -n 's/^shlibs:Depends=//p')
[ -n "$libraries" ] || {
    echo "deb.sh: dpkg-shlibdeps names no libraries for the daemon" >&2
    exit 1
}

sed -e "s|@VERSION@|$version|" -e "s|@ARCHITECTURE@|$architecture|" -e "s|@LIBRARIES@|$libraries|" \
    -e "s|@SIZE@|$(du -sk --apparent-size "$tree" | cut -f1)|" "$debian/control" > "$control/control"
for script in postinst prerm postrm; do install -m 755 "$debian/$script" "$control/$script"; done
(cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) > "$control/md5sums"

package=$out/stratis-node_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$tree" "$package" > /dev/null
echo "$package"
