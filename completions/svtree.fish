# Completion of svtree for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __svtree_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[1npu]*[st]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

complete -c svtree -f
complete -c svtree -n 'test (count (__svtree_operands)) -eq 0' -s 1 -d 'be as process 1: every stop signal counts, and nothing is left at the end'
complete -c svtree -n 'test (count (__svtree_operands)) -eq 0' -s n -d 'check the services and their needs, and start nothing'
complete -c svtree -n 'test (count (__svtree_operands)) -eq 0' -s p -d 'put its name in front of each line of a service without a logger'
complete -c svtree -n 'test (count (__svtree_operands)) -eq 0' -s s -x -a '(__fish_complete_directories)' -d 'keep all state in statedir, so that dir can be read-only'
complete -c svtree -n 'test (count (__svtree_operands)) -eq 0' -s t -x -d 'the time limit of the whole stop (9000)'
complete -c svtree -n 'test (count (__svtree_operands)) -eq 0' -s u -d 'run the services of this user, in ~/.config/service'
complete -c svtree -n 'test (count (__svtree_operands)) -eq 0' -l help -d 'print the usage'
complete -c svtree -n 'test (count (__svtree_operands)) -eq 0' -l version -d 'print the version'
complete -c svtree -n 'test (count (__svtree_operands)) -eq 0' -a '(__fish_complete_directories)'
