# Completion of sissylog for fish: options, and facilities behind the ident.

function __sissylog_wants_facility
    test (count (string match -v -- '-*' (commandline -opc)[2..-1])) = 1
end

complete -c sissylog -f
complete -c sissylog -s p -d 'Add the pid of the service'
complete -c sissylog -s v -d 'Say in syslog why it ends'
complete -c sissylog -l help -d 'Print the usage'
complete -c sissylog -l version -d 'Print the version'
complete -c sissylog -n __sissylog_wants_facility -a 'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp'
complete -c sissylog -n __sissylog_wants_facility -a 'local0 local1 local2 local3 local4 local5 local6 local7'
