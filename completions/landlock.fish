# Completion of landlock for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __landlock_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[ib]*[rxwWBCf]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __landlock_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__landlock_operands)[1..-1] (commandline -ct))
end

complete -c landlock -f
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -s r -x -d 'allow to read the file, or all below the directory'
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -s x -x -d 'allow to read and to execute'
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -s w -x -d 'allow to read and to write'
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -s W -x -d 'allow to read, to write and to execute'
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -s B -x -d 'allow to bind this TCP port; none: no port'
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -s C -x -d 'allow to connect to this TCP port; none: no port'
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -s f -x -d 'take rules from this file too: ro, rx, rw or rwx path, bind or connect port'
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -s i -d 'ignore paths that are not there'
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -s b -d 'go on where the kernel cannot restrict all of it, and say what'
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -l help -d 'print the usage'
complete -c landlock -n 'test (count (__landlock_operands)) -eq 0' -l version -d 'print the version'
complete -c landlock -n 'test (count (__landlock_operands)) -ge 0' -a '(__landlock_command)'
