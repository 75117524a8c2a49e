# Completion of chpst for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __chpst_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[vVP012]*[uUbe/CnlLmdopfcrt]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

function __chpst_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__chpst_operands)[1..-1] (commandline -ct))
end

complete -c chpst -f
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s u -x -d 'take the ids of account, as setuidgid'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s U -x -d 'set UID and GID to the ids of account, as envuidgid'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s b -x -d 'give prog this name as its argument 0'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s e -x -a '(__fish_complete_directories)' -d 'set environment variables from files in dir, as envdir'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s / -x -a '(__fish_complete_directories)' -d 'change the root directory, as chroot'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s C -x -a '(__fish_complete_directories)' -d 'change the working directory, to one in the new root'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s n -x -d 'add to the niceness, as nice'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s l -x -d 'lock file, as setlock'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s L -x -d 'lock file, or fail at once if the lock is taken'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s m -x -d 'bytes of data segment, stack, locked memory and address space each'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s d -x -d 'bytes of the data segment'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s o -x -d 'open file descriptors'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s p -x -d 'processes of the account'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s f -x -d 'bytes of a file written'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s c -x -d 'bytes of a core file'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s r -x -d 'bytes of resident memory'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s t -x -d 'seconds of CPU time'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s v -d 'warn of what is passed over'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s V -d 'print the version to stderr'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s P -d 'lead a new session, as pgrphack'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s 0 -d 'close stdin'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s 1 -d 'close stdout'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -s 2 -d 'close stderr'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -l help -d 'print the usage'
complete -c chpst -n 'test (count (__chpst_operands)) -eq 0' -l version -d 'print the version'
complete -c chpst -n 'test (count (__chpst_operands)) -ge 0' -a '(__chpst_command)'
