# Completion of catena for bash, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

_catena() {
	local cur=${COMP_WORDS[COMP_CWORD]} i
	COMPREPLY=()
	# The first operand is word i: options end there.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) i=$((i + 1)) && break ;;
		-?*) ;;
		*) break ;;
		esac
	done
	case $((COMP_CWORD - i)):$cur in
	0:-*)
		mapfile -t COMPREPLY < <(compgen -W '--help --version' -- "$cur")
		;;
	0:*)
		mapfile -t COMPREPLY < <(compgen -W 'argv0 caps cgroup chdir choom chpst chroot chrt emptyenv envdir envfile envuidgid export fdclose fdmove fdown fghack ionice landlock listen mkrundir nice no-new-privs pdeathsig pgrphack pidlock redirfd setlock setsid-free setuidgid sigclean softlimit taskset umask unexport unshare explain' -- "$cur")
		;;
	*)
		if declare -F _comp_command_offset >/dev/null; then
			_comp_command_offset $i
		elif declare -F _command_offset >/dev/null; then
			_command_offset $i
		elif ((COMP_CWORD == i)); then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		else
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		;;
	esac
}

complete -F _catena catena
