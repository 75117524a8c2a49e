# Completion of pidlock for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __pidlock_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[nNxXc]*[td]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __pidlock_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__pidlock_operands)[2..-1] (commandline -ct))
end

complete -c pidlock -f
complete -c pidlock -n 'test (count (__pidlock_operands)) -eq 0' -s n -d 'fail at once if the lock is taken'
complete -c pidlock -n 'test (count (__pidlock_operands)) -eq 0' -s N -d 'wait for the lock (this is the default)'
complete -c pidlock -n 'test (count (__pidlock_operands)) -eq 0' -s t -x -d 'wait at most this long'
complete -c pidlock -n 'test (count (__pidlock_operands)) -eq 0' -s x -d 'exit 0 silently if the lock cannot be acquired'
complete -c pidlock -n 'test (count (__pidlock_operands)) -eq 0' -s X -d 'exit 111 with a message then (this is the default)'
complete -c pidlock -n 'test (count (__pidlock_operands)) -eq 0' -s d -x -d 'hold the lock on this file descriptor'
complete -c pidlock -n 'test (count (__pidlock_operands)) -eq 0' -s c -d 'print the pid of the lock\'s holder and exit 1, or exit 0 if the lock is free'
complete -c pidlock -n 'test (count (__pidlock_operands)) -eq 0' -l help -d 'print the usage'
complete -c pidlock -n 'test (count (__pidlock_operands)) -eq 0' -l version -d 'print the version'
complete -c pidlock -n 'test (count (__pidlock_operands)) -eq 0' -F
complete -c pidlock -n 'test (count (__pidlock_operands)) -ge 1' -a '(__pidlock_command)'
