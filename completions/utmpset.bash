# Completion of utmpset for bash, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

_utmpset() {
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
		mapfile -t COMPREPLY < <(compgen -W '-w --help --version' -- "$cur")
		;;
	0:*)
		:
		;;
	esac
}

complete -F _utmpset utmpset
