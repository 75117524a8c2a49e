# Installs what PKGBUILD $1 has into $2/NAME, from the source in ./catena-VERSION.
# shellcheck shell=bash disable=SC1090,SC2034,SC2154
set -euo pipefail
. "$1"
pkgdir=$2/$pkgname
package >&2
echo "$pkgname: $pkgdesc"
