# Completion of utmpset for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __utmpset_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

complete -c utmpset -f
complete -c utmpset -n 'test (count (__utmpset_operands)) -eq 0' -s w -d 'record that in wtmp too'
complete -c utmpset -n 'test (count (__utmpset_operands)) -eq 0' -l help -d 'print the usage'
complete -c utmpset -n 'test (count (__utmpset_operands)) -eq 0' -l version -d 'print the version'
