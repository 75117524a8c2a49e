	# bash takes the colons of an account for words of their own.
	while ((i < COMP_CWORD)) && [[ ${COMP_WORDS[i]} == *: || ${COMP_WORDS[i + 1]} == :* ]]; do i=$((i + 1)); done
