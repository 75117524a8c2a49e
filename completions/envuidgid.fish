# Completion of envuidgid for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __envuidgid_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __envuidgid_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__envuidgid_operands)[2..-1] (commandline -ct))
end

complete -c envuidgid -f
complete -c envuidgid -n 'test (count (__envuidgid_operands)) -eq 0' -s s -d 'set GIDLIST to the other groups, those from the database too'
complete -c envuidgid -n 'test (count (__envuidgid_operands)) -eq 0' -l help -d 'print the usage'
complete -c envuidgid -n 'test (count (__envuidgid_operands)) -eq 0' -l version -d 'print the version'
complete -c envuidgid -n 'test (count (__envuidgid_operands)) -eq 0' -a '(__fish_complete_users)'
complete -c envuidgid -n 'test (count (__envuidgid_operands)) -ge 1' -a '(__envuidgid_command)'
