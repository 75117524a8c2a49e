# Completion of pdeathsig for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __pdeathsig_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __pdeathsig_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__pdeathsig_operands)[2..-1] (commandline -ct))
end

complete -c pdeathsig -f
complete -c pdeathsig -n 'test (count (__pdeathsig_operands)) -eq 0' -l help -d 'print the usage'
complete -c pdeathsig -n 'test (count (__pdeathsig_operands)) -eq 0' -l version -d 'print the version'
complete -c pdeathsig -n 'test (count (__pdeathsig_operands)) -eq 0' -a 'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS clear'
complete -c pdeathsig -n 'test (count (__pdeathsig_operands)) -ge 1' -a '(__pdeathsig_command)'
