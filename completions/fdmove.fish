# Completion of fdmove for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __fdmove_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __fdmove_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__fdmove_operands)[3..-1] (commandline -ct))
end

complete -c fdmove -f
complete -c fdmove -n 'test (count (__fdmove_operands)) -eq 0' -s c -d 'copy: from stays open'
complete -c fdmove -n 'test (count (__fdmove_operands)) -eq 0' -l help -d 'print the usage'
complete -c fdmove -n 'test (count (__fdmove_operands)) -eq 0' -l version -d 'print the version'
complete -c fdmove -n 'test (count (__fdmove_operands)) -ge 2' -a '(__fdmove_command)'
