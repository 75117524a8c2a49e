#compdef svctl
@HEAD@

_svctl_services() {
	local directory=${SVDIR:-/etc/service}
	if [[ $PREFIX == [./]* ]]; then
		_path_files -/
		return
	fi
	local -a names
	names=($directory/*(N-/:t))
	# Loggers are many: they come with their service and a slash.
	if [[ $PREFIX == */* ]]; then names=(${${(f)"$(print -rl -- $directory/*/log(N-/))"}#$directory/}); fi
	_wanted services expl service compadd -a names
}

_svctl() {
	local -a commands
	local state line expl
	commands=(
@COMMANDS@	)
	_arguments -S -A '-*' \
@ARGUMENTS@		'1: :->command' '*:: :->rest' && return
	case $state in
	command) _describe -t commands command commands ;;
	rest)
		# What is to be enabled is elsewhere.
		if [[ $words[1] == enable ]]; then local SVDIR=${SVSRC:-/etc/sv}; fi
		# Those that are programs of their own have their own options.
		case $words[1] in
@APART@		esac
		# What stands between the command and the cursor and is no option or its value.
		local -a operands
		local i
		for ((i = 2; i < CURRENT; i++)); do
			case $words[i] in
			-w) i=$((i + 1)) ;;
			-*) ;;
			*) operands+=($words[i]) ;;
			esac
		done
		if [[ $PREFIX == -* ]]; then
			_wanted options expl option compadd -- @OPTIONS@
		elif [[ $words[1] == signal && $#operands == 0 ]]; then
			_wanted signals expl signal compadd TERM KILL HUP ALRM INT QUIT USR1 USR2 STOP CONT WINCH
		elif [[ $words[1] == wait && $#operands == 0 ]]; then
			_wanted conditions expl condition compadd -- -a -o up down ready finished
		elif [[ $words[1] == help && $#operands == 0 ]]; then
			_describe -t commands command commands
		elif [[ $words[1] == rescan ]]; then
			_message 'no more arguments'
		else
			_svctl_services
		fi
		;;
	esac
}

_svctl "$@"
