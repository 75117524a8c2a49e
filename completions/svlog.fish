# Completion of svlog for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __svlog_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        string match -qr -- '^-[tv]*[rRlbp]$' $words[1]; and set words $words[2..-1]
        set words $words[2..-1]
    end
    string escape -- $words
end

complete -c svlog -f
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -s t -d 'begin each line with a TAI64N time stamp'
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -o tt -d 'with one as 2026-11-22_10:30:01.98765, UTC'
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -o ttt -d 'with one as 2026-11-22T10:30:01.98765, UTC'
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -s r -x -d 'write c in place of each byte that is not printable ASCII'
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -s R -x -d 'and in place of each of these; c is _ without -r'
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -s l -x -d 'match patterns against the first len bytes (1000)'
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -s b -x -d 'read up to this many bytes at a time (at least 12288)'
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -s p -x -d 'with - as dir: begin each line with name, a colon and a blank'
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -s v -d 'report on stderr what is done'
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -l help -d 'print the usage'
complete -c svlog -n 'test (count (__svlog_operands)) -eq 0' -l version -d 'print the version'
complete -c svlog -n 'test (count (__svlog_operands)) -ge 0' -a '(__fish_complete_directories)'
