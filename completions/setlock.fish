# Completion of setlock for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __setlock_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[nNxXr]*[td]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __setlock_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__setlock_operands)[2..-1] (commandline -ct))
end

complete -c setlock -f
complete -c setlock -n 'test (count (__setlock_operands)) -eq 0' -s n -d 'fail at once if the lock is taken'
complete -c setlock -n 'test (count (__setlock_operands)) -eq 0' -s N -d 'wait for the lock (this is the default)'
complete -c setlock -n 'test (count (__setlock_operands)) -eq 0' -s t -x -d 'wait at most this long'
complete -c setlock -n 'test (count (__setlock_operands)) -eq 0' -s x -d 'exit 0 silently if the lock cannot be acquired'
complete -c setlock -n 'test (count (__setlock_operands)) -eq 0' -s X -d 'exit 111 with a message then (this is the default)'
complete -c setlock -n 'test (count (__setlock_operands)) -eq 0' -s r -d 'share the lock with others that use -r'
complete -c setlock -n 'test (count (__setlock_operands)) -eq 0' -s d -x -d 'hold the lock on this file descriptor'
complete -c setlock -n 'test (count (__setlock_operands)) -eq 0' -l help -d 'print the usage'
complete -c setlock -n 'test (count (__setlock_operands)) -eq 0' -l version -d 'print the version'
complete -c setlock -n 'test (count (__setlock_operands)) -eq 0' -F
complete -c setlock -n 'test (count (__setlock_operands)) -ge 1' -a '(__setlock_command)'
