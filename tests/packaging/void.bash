# Installs what template $1 has into $2/NAME for each package, with those of xbps-src's functions that it calls; then prints
# the name of each, and its variables that xbps-src has rules for.
# shellcheck shell=bash disable=SC1090,SC2034,SC2154
set -euo pipefail
template=$1
. "$template"
sourcepkg=$pkgname FILESDIR=${template%/*}/files
DESTDIR=$2/$pkgname PKGDESTDIR=$2/$pkgname

vinstall() { install -D -m "$2" "$1" "$PKGDESTDIR/$3/${4:-${1##*/}}"; }
vlicense() { vinstall "$1" 644 "usr/share/licenses/$pkgname" "${2:-${1##*/}}"; }
vsv() {
	local file
	for file in "$FILESDIR/$1"/*; do vinstall "$file" 755 "etc/sv/$1"; done
	ln -s "/run/runit/supervise.$1" "$PKGDESTDIR/etc/sv/$1/supervise"
}
vmove() {
	mkdir -p "$PKGDESTDIR/${1%/*}"
	mv "$DESTDIR/$1" "$PKGDESTDIR/${1%/*}"
}

# As build_style=gnu-makefile does.
[ "$build_style" = gnu-makefile ]
# shellcheck disable=SC2086
make -s STRIP=true PREFIX=/usr prefix=/usr DESTDIR="$DESTDIR" $make_install_args $make_install_target
post_install
echo "$pkgname: $short_desc"
for package in $(compgen -A function | sed -n 's/_package$//p'); do
	(
		PKGDESTDIR=$2/$package
		"${package}_package"
		pkgname=$package
		pkg_install
		echo "$package: $short_desc"
	)
done
