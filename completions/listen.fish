# Completion of listen for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __listen_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[r]*[bmno]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __listen_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__listen_operands)[2..-1] (commandline -ct))
end

complete -c listen -f
complete -c listen -n 'test (count (__listen_operands)) -eq 0' -s b -x -d 'how many connections may wait to be accepted (as many as the system allows)'
complete -c listen -n 'test (count (__listen_operands)) -eq 0' -s m -x -d 'the permissions of a Unix socket (those that the umask leaves)'
complete -c listen -n 'test (count (__listen_operands)) -eq 0' -s n -x -d 'the socket\'s name in LISTEN_FDNAMES (unknown)'
complete -c listen -n 'test (count (__listen_operands)) -eq 0' -s o -x -d 'whose a Unix socket is (that of the caller)'
complete -c listen -n 'test (count (__listen_operands)) -eq 0' -s r -d 'remove a Unix socket on which nobody listens any more'
complete -c listen -n 'test (count (__listen_operands)) -eq 0' -l help -d 'print the usage'
complete -c listen -n 'test (count (__listen_operands)) -eq 0' -l version -d 'print the version'
complete -c listen -n 'test (count (__listen_operands)) -ge 1' -a '(__listen_command)'
