# Completion of unexport for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __unexport_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __unexport_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__unexport_operands)[2..-1] (commandline -ct))
end

complete -c unexport -f
complete -c unexport -n 'test (count (__unexport_operands)) -eq 0' -l help -d 'print the usage'
complete -c unexport -n 'test (count (__unexport_operands)) -eq 0' -l version -d 'print the version'
complete -c unexport -n 'test (count (__unexport_operands)) -ge 1' -a '(__unexport_command)'
