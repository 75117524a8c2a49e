# Completion of sissylog for bash, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

_sissylog() {
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
		mapfile -t COMPREPLY < <(compgen -W '-p -v --help --version' -- "$cur")
		;;
	0:*)
		:
		;;
	1:*)
		mapfile -t COMPREPLY < <(compgen -W 'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp local0 local1 local2 local3 local4 local5 local6 local7' -- "$cur")
		;;
	esac
}

complete -F _sissylog sissylog
