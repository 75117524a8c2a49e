# Completion of envfile for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __envfile_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[iI]*[d]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __envfile_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__envfile_operands)[2..-1] (commandline -ct))
end

complete -c envfile -f
complete -c envfile -n 'test (count (__envfile_operands)) -eq 0' -s i -d 'a missing file is an error, as without the option'
complete -c envfile -n 'test (count (__envfile_operands)) -eq 0' -s I -d 'a missing file is no error'
complete -c envfile -n 'test (count (__envfile_operands)) -eq 0' -s d -x -d 'whose syntax the file has: execline (the default), systemd or docker'
complete -c envfile -n 'test (count (__envfile_operands)) -eq 0' -l help -d 'print the usage'
complete -c envfile -n 'test (count (__envfile_operands)) -eq 0' -l version -d 'print the version'
complete -c envfile -n 'test (count (__envfile_operands)) -eq 0' -F
complete -c envfile -n 'test (count (__envfile_operands)) -ge 1' -a '(__envfile_command)'
