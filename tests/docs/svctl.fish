@HEAD@

function __svctl_words
    # The words in front of the cursor that are no options.
    set -l words (commandline -opc)[2..-1]
    while set -q words[1]
        if test "$words[1]" = -w
            set words $words[2..-1]
        else if not string match -q -- '-*' $words[1]
            echo -- $words[1]
        end
        set words $words[2..-1]
    end
end

function __svctl_wants_command
    set -l words (__svctl_words)
    test (count $words) = 0; or test "$words" = help
end

function __svctl_wants_signal
    set -l words (__svctl_words)
    test "$words" = signal
end

function __svctl_wants_condition
    set -l words (__svctl_words)
    test "$words" = wait
end

function __svctl_runs
    # Whether the command is one of these.
    contains -- (__svctl_words)[1] $argv
end

function __svctl_wants_service
    not __svctl_wants_command; and not __svctl_wants_signal; and not __svctl_wants_condition
    and not __svctl_runs rescan help@OTHERS@
end

function __svctl_services
    set -l directory /etc/service
    test -n "$SVDIR"; and set directory $SVDIR
    if __svctl_runs enable
        set directory /etc/sv
        test -n "$SVSRC"; and set directory $SVSRC
    end
    set -l current (commandline -ct)
    if string match -qr -- '^[./]' $current
        for path in $current*/
            echo -- $path
        end
    else if string match -q -- '*/*' $current
        # Loggers are many: they come with their service and a slash.
        for log in $directory/*/log/
            string replace -- $directory/ '' (string trim -r -c / -- $log)
        end
    else
        for service in $directory/*/
            string replace -- $directory/ '' (string trim -r -c / -- $service)
        end
    end
end

complete -c svctl -f
@OPTIONS@@APART@@COMMANDS@complete -c svctl -n __svctl_wants_signal -a 'TERM KILL HUP ALRM INT QUIT USR1 USR2 STOP CONT WINCH'
complete -c svctl -n __svctl_wants_condition -a '-a -o up down ready finished'
complete -c svctl -n __svctl_wants_service -a '(__svctl_services)'
