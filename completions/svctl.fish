# Completion of svctl for fish, made from what its --help says.
# After a change: UPDATE=1 cargo test --locked --test e2e docs::completions

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
    and not __svctl_runs rescan help lint new
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
complete -c svctl -n 'not __svctl_runs disable enable events lint list log new show' -s v -d 'wait until the command has taken effect, and print the state'
complete -c svctl -n 'not __svctl_runs disable enable events lint list log new show' -s w -x -d 'wait at most this long (default: SVWAIT, else 7); implies -v'
complete -c svctl -n 'not __svctl_runs disable enable events lint list log new show' -l json -d 'print a JSON object for each service, one per line'
complete -c svctl -n 'not __svctl_runs disable enable events lint list log new show' -l help -d 'print the usage'
complete -c svctl -n 'not __svctl_runs disable enable events lint list log new show' -l version -d 'print the version'
complete -c svctl -n '__svctl_runs disable' -s v -d 'print what was done'
complete -c svctl -n '__svctl_runs disable' -s w -x -d 'wait at most this long (default: SVWAIT, else 7); implies -v'
complete -c svctl -n '__svctl_runs disable' -l now -d 'as without: they are stopped in any case'
complete -c svctl -n '__svctl_runs disable' -l json -d 'print a JSON object for each service, one per line'
complete -c svctl -n '__svctl_runs enable' -s v -d 'wait until they have come up, and print what was done'
complete -c svctl -n '__svctl_runs enable' -s w -x -d 'wait at most this long (default: SVWAIT, else 7); implies -v'
complete -c svctl -n '__svctl_runs enable' -l now -d 'start them whatever their file down says, and wait'
complete -c svctl -n '__svctl_runs enable' -l json -d 'print a JSON object for each service, one per line'
complete -c svctl -n '__svctl_runs events' -s v -d 'as without: there is always a line'
complete -c svctl -n '__svctl_runs events' -s w -x -d 'as without: it goes on while there is a supervisor'
complete -c svctl -n '__svctl_runs events' -l json -d 'print the JSON objects of the supervisors, one per line'
complete -c svctl -n '__svctl_runs lint' -s s -d 'be strict: warnings count as errors do'
complete -c svctl -n '__svctl_runs lint' -l json -d 'print a JSON object for each finding, one per line'
complete -c svctl -n '__svctl_runs lint' -l no-shellcheck -d 'do not run shellcheck'
complete -c svctl -n '__svctl_runs lint' -a '(__fish_complete_directories)'
complete -c svctl -n '__svctl_runs list' -s t -d 'print the processes below each service'
complete -c svctl -n '__svctl_runs list' -s v -d 'list loggers too'
complete -c svctl -n '__svctl_runs list' -s w -d 'follow what happens, for so many seconds if a number is the next word'
complete -c svctl -n '__svctl_runs list' -l down -d 'list those alone that are not up'
complete -c svctl -n '__svctl_runs list' -l failed -d 'list those alone that have failed'
complete -c svctl -n '__svctl_runs list' -l json -d 'print a JSON object for each service, one per line'
complete -c svctl -n '__svctl_runs log' -s f -d 'show lines as they come, until q or ^C'
complete -c svctl -n '__svctl_runs log' -s n -x -d 'show the last lines, or all (default: 100; 10 with -f; all that are chosen)'
complete -c svctl -n '__svctl_runs log' -s g -x -d 'show lines with this text'
complete -c svctl -n '__svctl_runs log' -s p -x -d 'show lines of this level (err, warning, ...) and more important ones'
complete -c svctl -n '__svctl_runs log' -l since -x -d 'show lines from this time on: \'2026-11-29 04:00\', 04:00, -1h, today'
complete -c svctl -n '__svctl_runs log' -l until -x -d 'show lines up to this time'
complete -c svctl -n '__svctl_runs log' -l utc -d 'show and read times as UTC'
complete -c svctl -n '__svctl_runs log' -l json -d 'print a JSON object for each line'
complete -c svctl -n '__svctl_runs new' -s e -d 'take variables from the files in the directory env'
complete -c svctl -n '__svctl_runs new' -s l -x -d 'run the logger as account; default: that of -u'
complete -c svctl -n '__svctl_runs new' -s r -x -d 'wait until it is ready: the number of a file descriptor, or sd-notify'
complete -c svctl -n '__svctl_runs new' -s u -x -d 'run the service as account'
complete -c svctl -n '__svctl_runs show' -l json -d 'print a JSON object for each service, one per line'
complete -c svctl -n __svctl_wants_command -a start -d '[-o] start the service, and wait until it has come up'
complete -c svctl -n __svctl_wants_command -a stop -d 'stop it, and wait until it is down'
complete -c svctl -n __svctl_wants_command -a restart -d 'stop and start it, and wait until it has come up'
complete -c svctl -n __svctl_wants_command -a reload -d 'make it reload, and wait until it has'
complete -c svctl -n __svctl_wants_command -a list -d 'print a table of these services, or of all'
complete -c svctl -n __svctl_wants_command -a show -d 'print all that is known of a service'
complete -c svctl -n __svctl_wants_command -a log -d 'print the logs of these services'
complete -c svctl -n __svctl_wants_command -a enable -d '[--now] link a service directory into SVDIR, where it is started'
complete -c svctl -n __svctl_wants_command -a disable -d 'stop a service, and remove the link in SVDIR'
complete -c svctl -n __svctl_wants_command -a wait -d '[-a|-o] up|down|ready|finished: wait until it is so'
complete -c svctl -n __svctl_wants_command -a check -d 'wait until it, or all, are in the wanted state'
complete -c svctl -n __svctl_wants_command -a help -d 'list the commands, or explain one'
complete -c svctl -n __svctl_wants_command -a status -d 'print the state of these services, or of all, and of their loggers'
complete -c svctl -n __svctl_wants_command -a events -d 'print events of these services, or of all, as they happen'
complete -c svctl -n __svctl_wants_command -a new -d 'write a service directory'
complete -c svctl -n __svctl_wants_command -a lint -d 'look for mistakes in service directories'
complete -c svctl -n __svctl_wants_command -a rescan -d 'make svtree look at its directory at once'
complete -c svctl -n __svctl_wants_command -a upgrade -d 'make svrun execute its program file again'
complete -c svctl -n __svctl_wants_command -a up -d '[-o] start it, and again whenever it ends'
complete -c svctl -n __svctl_wants_command -a down -d 'stop it, and do not start it again'
complete -c svctl -n __svctl_wants_command -a once -d 'start it, and do not start it again'
complete -c svctl -n __svctl_wants_command -a exit -d 'stop it, and let its supervisor exit'
complete -c svctl -n __svctl_wants_command -a shutdown -d 'as exit, and wait until the supervisor has exited'
complete -c svctl -n __svctl_wants_command -a try-restart -d 'restart it if it is up'
complete -c svctl -n __svctl_wants_command -a force-stop -d 'as stop, and kill it when the time is up'
complete -c svctl -n __svctl_wants_command -a force-restart -d 'as restart, and kill it when the time is up'
complete -c svctl -n __svctl_wants_command -a force-reload -d 'as try-restart, and kill it when the time is up'
complete -c svctl -n __svctl_wants_command -a force-shutdown -d 'as shutdown, and kill it when the time is up'
complete -c svctl -n __svctl_wants_command -a hup -d 'send SIGHUP'
complete -c svctl -n __svctl_wants_command -a term -d 'send SIGTERM'
complete -c svctl -n __svctl_wants_command -a kill -d 'send SIGKILL'
complete -c svctl -n __svctl_wants_command -a interrupt -d 'send SIGINT'
complete -c svctl -n __svctl_wants_command -a quit -d 'send SIGQUIT'
complete -c svctl -n __svctl_wants_command -a alarm -d 'send SIGALRM'
complete -c svctl -n __svctl_wants_command -a 1 -d 'send SIGUSR1'
complete -c svctl -n __svctl_wants_command -a 2 -d 'send SIGUSR2'
complete -c svctl -n __svctl_wants_command -a pause -d 'send SIGSTOP'
complete -c svctl -n __svctl_wants_command -a cont -d 'send SIGCONT'
complete -c svctl -n __svctl_wants_command -a signal -d 'name: send any signal'
complete -c svctl -n __svctl_wants_signal -a 'TERM KILL HUP ALRM INT QUIT USR1 USR2 STOP CONT WINCH'
complete -c svctl -n __svctl_wants_condition -a '-a -o up down ready finished'
complete -c svctl -n __svctl_wants_service -a '(__svctl_services)'
