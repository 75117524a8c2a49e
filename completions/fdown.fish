# Completion of fdown for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __fdown_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __fdown_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__fdown_operands)[3..-1] (commandline -ct))
end

complete -c fdown -f
complete -c fdown -n 'test (count (__fdown_operands)) -eq 0' -l help -d 'print the usage'
complete -c fdown -n 'test (count (__fdown_operands)) -eq 0' -l version -d 'print the version'
complete -c fdown -n 'test (count (__fdown_operands)) -eq 1' -a '(__fish_complete_users)'
complete -c fdown -n 'test (count (__fdown_operands)) -ge 2' -a '(__fdown_command)'
