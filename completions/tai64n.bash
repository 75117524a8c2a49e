# Completion of tai64n for bash, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

_tai64n() {
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
	esac
}

complete -F _tai64n tai64n
