# Completion of chdir for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __chdir_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __chdir_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__chdir_operands)[2..-1] (commandline -ct))
end

complete -c chdir -f
complete -c chdir -n 'test (count (__chdir_operands)) -eq 0' -l help -d 'print the usage'
complete -c chdir -n 'test (count (__chdir_operands)) -eq 0' -l version -d 'print the version'
complete -c chdir -n 'test (count (__chdir_operands)) -eq 0' -a '(__fish_complete_directories)'
complete -c chdir -n 'test (count (__chdir_operands)) -ge 1' -a '(__chdir_command)'
