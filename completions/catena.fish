# Completion of catena for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __catena_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __catena_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__catena_operands)[1..-1] (commandline -ct))
end

complete -c catena -f
complete -c catena -n 'test (count (__catena_operands)) -eq 0' -l help -d 'print the usage'
complete -c catena -n 'test (count (__catena_operands)) -eq 0' -l version -d 'print the version'
complete -c catena -n 'test (count (__catena_operands)) -eq 0' -a 'argv0 caps cgroup chdir choom chpst chroot chrt emptyenv envdir envfile envuidgid export fdclose fdmove fdown fghack ionice landlock listen mkrundir nice no-new-privs pdeathsig pgrphack pidlock redirfd setlock setsid-free setuidgid sigclean softlimit taskset umask unexport unshare explain'
complete -c catena -n 'test (count (__catena_operands)) -ge 1' -a '(__catena_command)'
