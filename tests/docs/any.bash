@HEAD@

_@FUNCTION@() {
	local cur=${COMP_WORDS[COMP_CWORD]} i
	COMPREPLY=()
	# The first operand is word i: options end there.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) i=$((i + 1)) && break ;;
		-?*) ;;
		*) break ;;
		esac
@VALUE@	done
@ACCOUNT@	case $((COMP_CWORD - i)):$cur in
@CASES@	esac
}

complete -F _@FUNCTION@ @NAME@
