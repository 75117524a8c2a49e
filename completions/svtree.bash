# Completion of svtree for bash, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

_svtree() {
	local cur=${COMP_WORDS[COMP_CWORD]} i
	COMPREPLY=()
	# The first operand is word i: options end there.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) i=$((i + 1)) && break ;;
		-?*) ;;
		*) break ;;
		esac
		if [[ ${COMP_WORDS[i]} =~ ^-[1npu]*[st]$ ]]; then i=$((i + 1)); fi
	done
	case $((COMP_CWORD - i)):$cur in
	-*)
		[[ ${COMP_WORDS[COMP_CWORD - 1]} == -*[s] ]] || return
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	0:-*)
		mapfile -t COMPREPLY < <(compgen -W '-1 -n -p -s -t -u --help --version' -- "$cur")
		;;
	0:*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	esac
}

complete -F _svtree svtree
