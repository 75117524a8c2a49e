# Completion of tai64n for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __tai64n_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

complete -c tai64n -f
complete -c tai64n -n 'test (count (__tai64n_operands)) -eq 0' -l help -d 'print the usage'
complete -c tai64n -n 'test (count (__tai64n_operands)) -eq 0' -l version -d 'print the version'
