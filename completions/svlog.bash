# Completion of svlog for bash, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

_svlog() {
	local cur=${COMP_WORDS[COMP_CWORD]} i
	COMPREPLY=()
	# The first operand is word i: options end there.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) i=$((i + 1)) && break ;;
		-?*) ;;
		*) break ;;
		esac
		if [[ ${COMP_WORDS[i]} =~ ^-[tv]*[rRlbp]$ ]]; then i=$((i + 1)); fi
	done
	case $((COMP_CWORD - i)):$cur in
	-*)
		: # the value of an option
		;;
	0:-*)
		mapfile -t COMPREPLY < <(compgen -W '-t -tt -ttt -r -R -l -b -p -v --help --version' -- "$cur")
		;;
	*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	esac
}

complete -F _svlog svlog
