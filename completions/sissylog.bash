# Completion of sissylog for bash: options, and facilities behind the ident.

_sissylog() {
	local cur=${COMP_WORDS[COMP_CWORD]} word words='-p -v --help --version'
	COMPREPLY=()
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		if [[ $word != -* ]]; then
			words='kern user mail daemon auth syslog lpr news uucp cron authpriv ftp
				local0 local1 local2 local3 local4 local5 local6 local7'
		fi
	done
	if [[ $cur == -* || $words != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	fi
}

complete -F _sissylog sissylog
