# Completion of mkrundir for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __mkrundir_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[mo]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __mkrundir_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__mkrundir_operands)[2..-1] (commandline -ct))
end

complete -c mkrundir -f
complete -c mkrundir -n 'test (count (__mkrundir_operands)) -eq 0' -s m -x -d 'the permissions of the directory (755)'
complete -c mkrundir -n 'test (count (__mkrundir_operands)) -eq 0' -s o -x -d 'whose it is (that of the caller)'
complete -c mkrundir -n 'test (count (__mkrundir_operands)) -eq 0' -l help -d 'print the usage'
complete -c mkrundir -n 'test (count (__mkrundir_operands)) -eq 0' -l version -d 'print the version'
complete -c mkrundir -n 'test (count (__mkrundir_operands)) -eq 0' -a '(__fish_complete_directories)'
complete -c mkrundir -n 'test (count (__mkrundir_operands)) -ge 1' -a '(__mkrundir_command)'
