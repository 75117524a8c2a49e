# Installs what APKBUILD $1 has into $2/NAME for each package, with those of abuild's functions that it calls.
# shellcheck shell=sh disable=SC1090,SC2034,SC2154
set -eu
. "$1"
pkgdir=$2/$pkgname
mkdir -p "$pkgdir"
package >&2
echo "$pkgname: $pkgdesc"

amove() {
	for moved; do
		mkdir -p "$subpkgdir/${moved%/*}"
		mv "$pkgdir/$moved" "$subpkgdir/${moved%/*}"
	done
}
# abuild's own, which take what belongs there.
doc() { amove usr/share/man usr/share/licenses; }
openrc() { amove etc/init.d; }
bash_completion() { amove usr/share/bash-completion; }
zsh_completion() { amove usr/share/zsh; }
fish_completion() { amove usr/share/fish; }

for subpackage in $subpackages; do
	(
		subpkgname=${subpackage%%:*}
		subpkgdir=$2/$subpkgname
		"$(echo "${subpkgname#"$pkgname-"}" | tr - _)"
		echo "$subpkgname: $pkgdesc"
	)
done
