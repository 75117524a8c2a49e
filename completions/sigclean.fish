# Completion of sigclean for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __sigclean_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __sigclean_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__sigclean_operands)[1..-1] (commandline -ct))
end

complete -c sigclean -f
complete -c sigclean -n 'test (count (__sigclean_operands)) -eq 0' -s k -d 'keep the file descriptors from 3 up'
complete -c sigclean -n 'test (count (__sigclean_operands)) -eq 0' -l help -d 'print the usage'
complete -c sigclean -n 'test (count (__sigclean_operands)) -eq 0' -l version -d 'print the version'
complete -c sigclean -n 'test (count (__sigclean_operands)) -ge 0' -a '(__sigclean_command)'
