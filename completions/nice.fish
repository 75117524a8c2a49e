# Completion of nice for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __nice_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[n]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __nice_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__nice_operands)[1..-1] (commandline -ct))
end

complete -c nice -f
complete -c nice -n 'test (count (__nice_operands)) -eq 0' -s n -x -d 'what to add, 10 by default; -20 to 19 is possible'
complete -c nice -n 'test (count (__nice_operands)) -eq 0' -l help -d 'print the usage'
complete -c nice -n 'test (count (__nice_operands)) -eq 0' -l version -d 'print the version'
complete -c nice -n 'test (count (__nice_operands)) -ge 0' -a '(__nice_command)'
