# Completion of ionice for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __ionice_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[cn]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __ionice_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__ionice_operands)[1..-1] (commandline -ct))
end

complete -c ionice -f
complete -c ionice -n 'test (count (__ionice_operands)) -eq 0' -s c -x -d '0 to 3, or none, realtime, best-effort, idle; 2 by default'
complete -c ionice -n 'test (count (__ionice_operands)) -eq 0' -s n -x -d 'within the class, from 0, the first, to 7; 4 by default'
complete -c ionice -n 'test (count (__ionice_operands)) -eq 0' -l help -d 'print the usage'
complete -c ionice -n 'test (count (__ionice_operands)) -eq 0' -l version -d 'print the version'
complete -c ionice -n 'test (count (__ionice_operands)) -ge 0' -a '(__ionice_command)'
