# Completion of svrun for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __svrun_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[1k]*[s]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

complete -c svrun -f
complete -c svrun -n 'test (count (__svrun_operands)) -eq 0' -s 1 -d 'exit with the service and its status, as process 1 does'
complete -c svrun -n 'test (count (__svrun_operands)) -eq 0' -s k -d 'let the service inherit fds from 3 up'
complete -c svrun -n 'test (count (__svrun_operands)) -eq 0' -s s -x -a '(__fish_complete_directories)' -d 'keep the state in statedir, so that dir can be read-only'
complete -c svrun -n 'test (count (__svrun_operands)) -eq 0' -l help -d 'print the usage'
complete -c svrun -n 'test (count (__svrun_operands)) -eq 0' -l version -d 'print the version'
complete -c svrun -n 'test (count (__svrun_operands)) -eq 0' -a '(__fish_complete_directories)'
