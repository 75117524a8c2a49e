# Completion of no-new-privs for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __no_new_privs_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __no_new_privs_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__no_new_privs_operands)[1..-1] (commandline -ct))
end

complete -c no-new-privs -f
complete -c no-new-privs -n 'test (count (__no_new_privs_operands)) -eq 0' -l help -d 'print the usage'
complete -c no-new-privs -n 'test (count (__no_new_privs_operands)) -eq 0' -l version -d 'print the version'
complete -c no-new-privs -n 'test (count (__no_new_privs_operands)) -ge 0' -a '(__no_new_privs_command)'
