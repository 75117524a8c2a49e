# Completion of envdir for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __envdir_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[Ifn]*[cp]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __envdir_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__envdir_operands)[2..-1] (commandline -ct))
end

complete -c envdir -f
complete -c envdir -n 'test (count (__envdir_operands)) -eq 0' -s I -d 'a missing dir is no error'
complete -c envdir -n 'test (count (__envdir_operands)) -eq 0' -s f -d 'use the whole file as the value, without one final newline'
complete -c envdir -n 'test (count (__envdir_operands)) -eq 0' -s n -d 'keep trailing blanks; with -f the final newline too'
complete -c envdir -n 'test (count (__envdir_operands)) -eq 0' -s c -x -d 'turn a NUL into char instead of a newline'
complete -c envdir -n 'test (count (__envdir_operands)) -eq 0' -s p -x -d 'put prefix before each name'
complete -c envdir -n 'test (count (__envdir_operands)) -eq 0' -l help -d 'print the usage'
complete -c envdir -n 'test (count (__envdir_operands)) -eq 0' -l version -d 'print the version'
complete -c envdir -n 'test (count (__envdir_operands)) -eq 0' -a '(__fish_complete_directories)'
complete -c envdir -n 'test (count (__envdir_operands)) -ge 1' -a '(__envdir_command)'
