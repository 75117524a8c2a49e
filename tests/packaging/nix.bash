# Installs into $2/catena what cargo has put into $out/bin, as script $1 of a Nix package has it, with those of
# installShellFiles' functions that it calls.
# shellcheck shell=bash disable=SC1090,SC2034
set -euo pipefail
out=$2/catena
installManPage() {
	local page
	for page; do install -D -m 644 "$page" "$out/share/man/man${page##*.}/${page##*/}"; done
}
installShellCompletion() {
	local file shell=''
	for file; do
		case $shell$file in
		--*) shell=${file#--} && continue ;;
		zsh*) install -D -m 644 "$file" "$out/share/zsh/site-functions/${file##*/}" ;;
		*.bash) install -D -m 644 "$file" "$out/share/bash-completion/completions/${file##*/}" ;;
		*.fish) install -D -m 644 "$file" "$out/share/fish/vendor_completions.d/${file##*/}" ;;
		*) return 1 ;;
		esac
	done
}
. "$1"
