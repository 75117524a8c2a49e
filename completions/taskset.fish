# Completion of taskset for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __taskset_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __taskset_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__taskset_operands)[2..-1] (commandline -ct))
end

complete -c taskset -f
complete -c taskset -n 'test (count (__taskset_operands)) -eq 0' -s c -d 'cpus is a list, as 0-3,5; without it a mask in hexadecimal'
complete -c taskset -n 'test (count (__taskset_operands)) -eq 0' -l help -d 'print the usage'
complete -c taskset -n 'test (count (__taskset_operands)) -eq 0' -l version -d 'print the version'
complete -c taskset -n 'test (count (__taskset_operands)) -ge 1' -a '(__taskset_command)'
