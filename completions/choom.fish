# Completion of choom for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __choom_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[n]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __choom_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__choom_operands)[2..-1] (commandline -ct))
end

complete -c choom -f
complete -c choom -n 'test (count (__choom_operands)) -eq 0' -s n -x -d 'from -1000, never, to 1000, first of all; 0 is usual'
complete -c choom -n 'test (count (__choom_operands)) -eq 0' -l help -d 'print the usage'
complete -c choom -n 'test (count (__choom_operands)) -eq 0' -l version -d 'print the version'
complete -c choom -n 'test (count (__choom_operands)) -ge 1' -a '(__choom_command)'
