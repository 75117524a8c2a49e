# Completion of svctl for fish: options, commands, and services by their names or paths.

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
    test (count (__svctl_words)) = 0
end

function __svctl_wants_signal
    set -l words (__svctl_words)
    test "$words" = signal
end

function __svctl_wants_condition
    set -l words (__svctl_words)
    test "$words" = wait
end

function __svctl_wants_service
    not __svctl_wants_command; and not __svctl_wants_signal; and not __svctl_wants_condition
end

function __svctl_services
    set -l folder /etc/service
    test -n "$SVDIR"; and set folder $SVDIR
    set -l current (commandline -ct)
    if string match -qr -- '^[./]' $current
        for directory in $current*/
            echo -- $directory
        end
    else if string match -q -- '*/*' $current
        # Loggers are many: they come with their service and a slash.
        for log in $folder/*/log/
            string replace -- $folder/ '' (string trim -r -c / -- $log)
        end
    else
        for service in $folder/*/
            string replace -- $folder/ '' (string trim -r -c / -- $service)
        end
    end
end

complete -c svctl -f
complete -c svctl -s v -d 'Wait until the command has had its effect'
complete -c svctl -s w -x -d 'Wait so many seconds at most'
complete -c svctl -l json -d 'Print JSON objects'
complete -c svctl -l help -d 'Print the usage'
complete -c svctl -l version -d 'Print the version'
complete -c svctl -n __svctl_wants_command -a 'up down once pause cont hup alarm interrupt quit 1 2 term kill exit'
complete -c svctl -n __svctl_wants_command -a 'start stop restart try-restart reload shutdown check'
complete -c svctl -n __svctl_wants_command -a 'force-stop force-restart force-reload force-shutdown'
complete -c svctl -n __svctl_wants_command -a 'status list events wait signal upgrade'
complete -c svctl -n __svctl_wants_signal -a 'TERM KILL HUP ALRM INT QUIT USR1 USR2 STOP CONT WINCH'
complete -c svctl -n __svctl_wants_condition -a '-a -o up down ready finished'
complete -c svctl -n __svctl_wants_service -a '(__svctl_services)'
