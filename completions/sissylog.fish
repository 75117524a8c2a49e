# Completion of sissylog for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

function __sissylog_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
        set words $words[2..-1]
    end
    string escape -- $words
end

complete -c sissylog -f
complete -c sissylog -n 'test (count (__sissylog_operands)) -eq 0' -s p -d 'add the pid of the service to ident'
complete -c sissylog -n 'test (count (__sissylog_operands)) -eq 0' -s v -d 'log to syslog why it ends'
complete -c sissylog -n 'test (count (__sissylog_operands)) -eq 0' -l help -d 'print the usage'
complete -c sissylog -n 'test (count (__sissylog_operands)) -eq 0' -l version -d 'print the version'
complete -c sissylog -n 'test (count (__sissylog_operands)) -eq 1' -a 'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp local0 local1 local2 local3 local4 local5 local6 local7'
