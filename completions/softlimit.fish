# Completion of softlimit for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __softlimit_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[Hh]*[acdflmoprstP]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __softlimit_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__softlimit_operands)[1..-1] (commandline -ct))
end

complete -c softlimit -f
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s H -d 'from here on set the soft and the hard limit'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s h -d 'from here on set the hard limit, and the soft one if it is above'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s a -x -d 'bytes of address space'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s c -x -d 'bytes of a core file'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s d -x -d 'bytes of the data segment'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s f -x -d 'bytes of a file written'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s l -x -d 'bytes of locked memory'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s m -x -d '-d, -s, -l and -a together'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s o -x -d 'open file descriptors'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s p -x -d 'processes of the account'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s r -x -d 'bytes of resident memory'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s s -x -d 'bytes of the stack'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s t -x -d 'seconds of CPU time'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -s P -x -d 'real-time priority'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -l help -d 'print the usage'
complete -c softlimit -n 'test (count (__softlimit_operands)) -eq 0' -l version -d 'print the version'
complete -c softlimit -n 'test (count (__softlimit_operands)) -ge 0' -a '(__softlimit_command)'
