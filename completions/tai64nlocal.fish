# Completion of tai64nlocal for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __tai64nlocal_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

complete -c tai64nlocal -f
complete -c tai64nlocal -n 'test (count (__tai64nlocal_operands)) -eq 0' -s g -d 'show them as UTC'
complete -c tai64nlocal -n 'test (count (__tai64nlocal_operands)) -eq 0' -l help -d 'print the usage'
complete -c tai64nlocal -n 'test (count (__tai64nlocal_operands)) -eq 0' -l version -d 'print the version'
