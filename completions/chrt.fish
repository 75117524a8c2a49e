# Completion of chrt for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __chrt_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

function __chrt_command
    # As the command alone would be completed.
    complete -C (string join ' ' -- (__chrt_operands)[2..-1] (commandline -ct))
end

complete -c chrt -f
complete -c chrt -n 'test (count (__chrt_operands)) -eq 0' -s f -d 'in real time, first in, first out: SCHED_FIFO'
complete -c chrt -n 'test (count (__chrt_operands)) -eq 0' -s r -d 'in real time, round-robin: SCHED_RR; so without any of these'
complete -c chrt -n 'test (count (__chrt_operands)) -eq 0' -s o -d 'the usual policy: SCHED_OTHER'
complete -c chrt -n 'test (count (__chrt_operands)) -eq 0' -s b -d 'as one who always computes: SCHED_BATCH'
complete -c chrt -n 'test (count (__chrt_operands)) -eq 0' -s i -d 'when nobody else wants the CPU: SCHED_IDLE'
complete -c chrt -n 'test (count (__chrt_operands)) -eq 0' -s R -d 'what the program starts has the usual policy'
complete -c chrt -n 'test (count (__chrt_operands)) -eq 0' -l help -d 'print the usage'
complete -c chrt -n 'test (count (__chrt_operands)) -eq 0' -l version -d 'print the version'
complete -c chrt -n 'test (count (__chrt_operands)) -ge 1' -a '(__chrt_command)'
