# Completion of redirfd for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __redirfd_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __redirfd_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__redirfd_operands)[3..-1] (commandline -ct))
end

complete -c redirfd -f
complete -c redirfd -n 'test (count (__redirfd_operands)) -eq 0' -s r -d 'open for reading'
complete -c redirfd -n 'test (count (__redirfd_operands)) -eq 0' -s w -d 'open for writing: create or truncate'
complete -c redirfd -n 'test (count (__redirfd_operands)) -eq 0' -s u -d 'open for reading and writing'
complete -c redirfd -n 'test (count (__redirfd_operands)) -eq 0' -s a -d 'open for appending: create if missing'
complete -c redirfd -n 'test (count (__redirfd_operands)) -eq 0' -s x -d 'create for writing: fail if it exists'
complete -c redirfd -n 'test (count (__redirfd_operands)) -eq 0' -s n -d 'open without waiting, in non-blocking mode'
complete -c redirfd -n 'test (count (__redirfd_operands)) -eq 0' -s b -d 'change the blocking mode after opening'
complete -c redirfd -n 'test (count (__redirfd_operands)) -eq 0' -l help -d 'print the usage'
complete -c redirfd -n 'test (count (__redirfd_operands)) -eq 0' -l version -d 'print the version'
complete -c redirfd -n 'test (count (__redirfd_operands)) -eq 1' -F
complete -c redirfd -n 'test (count (__redirfd_operands)) -ge 2' -a '(__redirfd_command)'
