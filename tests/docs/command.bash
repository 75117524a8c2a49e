if declare -F _comp_command_offset >/dev/null; then
			_comp_command_offset $((@PLACE@))
		elif declare -F _command_offset >/dev/null; then
			_command_offset $((@PLACE@))
		elif ((COMP_CWORD == @PLACE@)); then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		else
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
