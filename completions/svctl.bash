# Completion of svctl for bash, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

_svctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} directory=${SVDIR:-/etc/service} command='' i word name operands=()
	local commands='start stop restart reload list show log enable disable wait check help status events new lint rescan upgrade up down once exit shutdown try-restart force-stop force-restart force-reload force-shutdown hup term kill interrupt quit alarm 1 2 pause cont signal' options='-v -w --json --help --version' value='^-w$' kind=service
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-w) i=$((i + 1)) ;;
		-*) ;;
		*) operands+=("$word") && command=${operands[0]} ;;
		esac
	done
	((i <= COMP_CWORD)) || return # the value of -w
	# Those that are programs of their own have their own options.
	case $command in
	disable)
		options='-v -w --now --json --help --version' value='^-[v]*[w]$' kind=service
		;;
	enable)
		options='-v -w --now --json --help --version' value='^-[v]*[w]$' kind=service
		;;
	events)
		options='-v -w --json --help --version' value='^-[v]*[w]$' kind=service
		;;
	lint)
		options='-s --json --no-shellcheck --help --version' value='^$' kind=dir
		;;
	list)
		options='-t -v -w --down --failed --json --help --version' value='^$' kind=service
		;;
	log)
		options='-f -n -g -p --since --until --utc --json --help --version' value='^(-[f]*[ngp]|--since|--until)$' kind=service
		;;
	new)
		options='-e -l -r -u --help --version' value='^-[e]*[lru]$' kind=free
		;;
	show)
		options='--json --help --version' value='^$' kind=service
		;;
	esac
	if [[ ${operands[0]-} && ${COMP_WORDS[COMP_CWORD - 1]} =~ $value ]]; then return; fi
	if [[ $cur == -* || -z $command ]]; then
		word=$commands
		if [[ $cur == -* ]]; then word=$options; fi
		if [[ $cur == -* && $command == wait ]]; then word+=' -a -o'; fi
		mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
		return
	fi
	word=
	case $command in
	rescan) return ;;
	enable) directory=${SVSRC:-/etc/sv} ;;
	help)
		word=$commands
		if [[ ${operands[1]-} ]]; then return; fi
		;;
	signal) if [[ -z ${operands[1]-} ]]; then word='TERM KILL HUP ALRM INT QUIT USR1 USR2 STOP CONT WINCH'; fi ;;
	wait)
		word='-a -o up down ready finished'
		if [[ ${operands[1]-} ]]; then word=; fi
		;;
	esac
	if [[ $kind == free ]]; then
		return
	elif [[ -n $word ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
	elif [[ $kind == dir || $cur == [./]* ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
	else
		for name in "$directory"/*/ "$directory"/*/log/; do
			[[ -d $name ]] || continue
			name=${name#"$directory"/} name=${name%/}
			# Loggers are many: they come with their service and a slash.
			if [[ $name == "$cur"* && ($name != */log || $cur == */*) ]]; then
				COMPREPLY+=("$(printf %q "$name")")
			fi
		done
	fi
}

complete -F _svctl svctl
