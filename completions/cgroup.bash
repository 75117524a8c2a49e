# Completion of cgroup for bash, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

_cgroup() {
	local cur=${COMP_WORDS[COMP_CWORD]} i
	COMPREPLY=()
	# The first operand is word i: options end there.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) i=$((i + 1)) && break ;;
		-?*) ;;
		*) break ;;
		esac
		if [[ ${COMP_WORDS[i]} =~ ^-[k]$ ]]; then i=$((i + 1)); fi
	done
	case $((COMP_CWORD - i)):$cur in
	-*)
		: # the value of an option
		;;
	0:-*)
		mapfile -t COMPREPLY < <(compgen -W '-k --help --version' -- "$cur")
		;;
	0:*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	*)
		if declare -F _comp_command_offset >/dev/null; then
			_comp_command_offset $((i + 1))
		elif declare -F _command_offset >/dev/null; then
			_command_offset $((i + 1))
		elif ((COMP_CWORD == i + 1)); then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		else
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		;;
	esac
}

complete -F _cgroup cgroup
