# Completion of cgroup for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __cgroup_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[k]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __cgroup_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__cgroup_operands)[2..-1] (commandline -ct))
end

complete -c cgroup -f
complete -c cgroup -n 'test (count (__cgroup_operands)) -eq 0' -s k -x -d 'write the value to this file of the group'
complete -c cgroup -n 'test (count (__cgroup_operands)) -eq 0' -l help -d 'print the usage'
complete -c cgroup -n 'test (count (__cgroup_operands)) -eq 0' -l version -d 'print the version'
complete -c cgroup -n 'test (count (__cgroup_operands)) -eq 0' -F
complete -c cgroup -n 'test (count (__cgroup_operands)) -ge 1' -a '(__cgroup_command)'
