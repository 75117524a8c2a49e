# Completion of caps for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __caps_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __caps_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__caps_operands)[2..-1] (commandline -ct))
end

complete -c caps -f
complete -c caps -n 'test (count (__caps_operands)) -eq 0' -s B -d 'leave the bounding set as it is'
complete -c caps -n 'test (count (__caps_operands)) -eq 0' -s i -d 'read the set as libcap\'s text: ^ ambient, % inheritable, ! not in bounding'
complete -c caps -n 'test (count (__caps_operands)) -eq 0' -l help -d 'print the usage'
complete -c caps -n 'test (count (__caps_operands)) -eq 0' -l version -d 'print the version'
complete -c caps -n 'test (count (__caps_operands)) -ge 1' -a '(__caps_command)'
