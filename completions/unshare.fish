# Completion of unshare for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __unshare_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __unshare_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__unshare_operands)[1..-1] (commandline -ct))
end

complete -c unshare -f
complete -c unshare -n 'test (count (__unshare_operands)) -eq 0' -s C -d 'of cgroups: its own is the root of those that it sees'
complete -c unshare -n 'test (count (__unshare_operands)) -eq 0' -s i -d 'of System V IPC and POSIX message queues'
complete -c unshare -n 'test (count (__unshare_operands)) -eq 0' -s m -d 'of mounts, all of them private'
complete -c unshare -n 'test (count (__unshare_operands)) -eq 0' -s n -d 'of the network, where nothing is up'
complete -c unshare -n 'test (count (__unshare_operands)) -eq 0' -s u -d 'of the names of the host and the domain'
complete -c unshare -n 'test (count (__unshare_operands)) -eq 0' -l help -d 'print the usage'
complete -c unshare -n 'test (count (__unshare_operands)) -eq 0' -l version -d 'print the version'
complete -c unshare -n 'test (count (__unshare_operands)) -ge 0' -a '(__unshare_command)'
