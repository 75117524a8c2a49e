# Completion of emptyenv for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __emptyenv_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[plcoP]*[k]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __emptyenv_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__emptyenv_operands)[1..-1] (commandline -ct))
end

complete -c emptyenv -f
complete -c emptyenv -n 'test (count (__emptyenv_operands)) -eq 0' -s p -d 'keep PATH'
complete -c emptyenv -n 'test (count (__emptyenv_operands)) -eq 0' -s l -d 'keep LD_LIBRARY_PATH'
complete -c emptyenv -n 'test (count (__emptyenv_operands)) -eq 0' -s k -x -d 'keep the variable name'
complete -c emptyenv -n 'test (count (__emptyenv_operands)) -eq 0' -s c -d 'remove the variables of execline, and no others'
complete -c emptyenv -n 'test (count (__emptyenv_operands)) -eq 0' -s o -d 'restore the options before elgetopt, and remove no others'
complete -c emptyenv -n 'test (count (__emptyenv_operands)) -eq 0' -s P -d 'restore the arguments before execlineb, and remove no others'
complete -c emptyenv -n 'test (count (__emptyenv_operands)) -eq 0' -l help -d 'print the usage'
complete -c emptyenv -n 'test (count (__emptyenv_operands)) -eq 0' -l version -d 'print the version'
complete -c emptyenv -n 'test (count (__emptyenv_operands)) -ge 0' -a '(__emptyenv_command)'
