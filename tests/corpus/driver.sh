#!/bin/sh
# Process 1 of a sandbox: the steps of each scenario in /etc/scenarios, side by side. What the programs print, and
# with which status they end, is in /out/SERVICE; what the supervisor itself says is in /out/SERVICE.supervisor.
cd /etc/sv || exit 1
PATH=/usr/local/bin:/usr/local/libexec:/usr/local/sbin:/usr/local/tools:/usr/bin
export PATH

note() { # command...
	echo "\$ $*"
	"$@"
	echo "status $?"
}
wait_for() { # words, then a command; a minute and a half is the most
	reason=$1 tries=0
	shift
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		if [ "$tries" = 1800 ]; then
			echo "TIMED OUT: $reason"
			return 1
		fi
		sleep 0.05
	done
}
stated() { # program...: each of them has written its state
	for program; do wait_for "$program" test -e "/state/$program"; done
}
forget() { rm -f "/state/$1"; }
contains() { # text, file...
	text=$1
	shift
	grep -q "$text" "$@"
}
wait_text() { wait_for "$1 in $2" contains "$@"; }

# A supervisor, without what it would have only because a shell starts it in the background, and a test.
run_alone() { exec env -i --default-signal=INT,QUIT PATH="$PATH" /usr/local/pose closed=rest "$@"; }

# Of runit.
begin() { # service
	run_alone runsv "$1" >"/out/$1.supervisor" 2>&1 &
	eval "supervisor_$(echo "$1" | tr -c 'a-zA-Z0-9\n' _)=$!"
	wait_for "a supervisor of $1" sv status "$1"
}
says() { sv status "$2" | grep -q "$1"; }
is_down() { says '^down' "$1"; }
is_up() { says '^run' "$1"; }
logs() { says '; run: log' "$1"; }
start() { # service, program...
	service=$1
	shift
	note sv -w 60 start "$service"
	stated "$@"
	if [ -e "$service/log/run" ]; then wait_for "the logger of $service" logs "$service"; fi
	note sv status "$service"
}
changed() { # service, what it was: when it was started or ended last
	[ "$(when "$1")" != "$2" ]
}
when() { head -c 12 "$1/supervise/status" | cksum; }
is_wanted_down() { is_down "$1" && ! says 'want up' "$1"; }
ended() { changed "$@" && is_down "$1"; }
once() { # service: once to its end
	before=$(when "$1")
	note sv once "$1"
	wait_for "the end of $1" ended "$1" "$before"
}
up_to_end() { # service: up, until it is down by itself for good
	before=$(when "$1")
	note sv up "$1"
	wait_for "the end of $1" ended "$1" "$before"
	wait_for "$1 to be wanted down" is_wanted_down "$1"
}
stop() { # service
	note sv -w 60 down "$1"
	wait_for "$1 down" is_down "$1"
	note sv status "$1"
}
leave() { # service: the end of its supervisor
	sv -w 60 exit "$1" >/dev/null 2>&1
	eval "wait \$supervisor_$(echo "$1" | tr -c 'a-zA-Z0-9\n' _)"
	echo "supervisor of $1: $?"
}
all() { # service, program...
	begin "$1"
	start "$@"
	stop "$1"
	leave "$1"
}
all_once() { # service
	begin "$1"
	once "$1"
	note sv status "$1"
	leave "$1"
}
look() { # service: the program that runs, from outside
	pid=$(cat "$1/supervise/pid")
	tr '\0' '\n' <"/proc/$pid/cmdline"
	tr '\0' '\n' <"/proc/$pid/environ"
	grep -E '^(Name|Umask|Uid|Gid|Groups|Cap[A-Z][a-z]*):' "/proc/$pid/status"
	readlink "/proc/$pid/cwd" "/proc/$pid/root"
	ls "/proc/$pid/fd"
}
named() { [ "$(tr '\0' ' ' <"/proc/$(cat "$1/supervise/pid")/cmdline")" = "$2 " ]; }

# Of daemontools.
dt_begin() { # service
	if ! type supervise >/dev/null 2>&1; then
		run_alone runsv "$1" >"/out/$1.supervisor" 2>&1 &
	elif [ -d "$1/log" ]; then
		run_alone supervise "$1" 2>"/out/$1.supervisor" | run_alone supervise "$1/log" >>"/out/$1.supervisor" 2>&1 &
	else
		run_alone supervise "$1" >"/out/$1.supervisor" 2>&1 &
	fi
	eval "supervisor_$(echo "$1" | tr -c 'a-zA-Z0-9\n' _)=$!"
	wait_for "a supervisor of $1" svok "$1"
	if [ -d "$1/log" ]; then wait_for "a supervisor of $1/log" svok "$1/log"; fi
}
dt_says() { svstat "$2" | grep -q "$1"; }
dt_start() { # service, program...
	service=$1
	shift
	note svc -u "$service"
	stated "$@"
	wait_for "$service up" dt_says ': up' "$service"
	note svstat "$service"
	if [ -d "$service/log" ]; then
		wait_for "the logger of $service" dt_says ': up' "$service/log"
		note svstat "$service/log"
	fi
}
dt_ended() { changed "$@" && dt_says ': down' "$1"; }
dt_once() { # service: once to its end
	before=$(when "$1")
	note svc -o "$1"
	wait_for "the end of $1" dt_ended "$1" "$before"
	note svstat "$1"
}
dt_all_once() { # service
	dt_begin "$1"
	dt_once "$1"
	dt_leave "$1"
}
dt_stop() { # service
	note svc -d "$1"
	wait_for "$1 down" dt_says ': down' "$1"
	note svstat "$1"
}
dt_leave() { # service
	# Before it: its logger ends by itself then, and shall not be started again.
	if [ -d "$1/log" ] && type supervise >/dev/null 2>&1; then svc -x "$1/log"; fi
	svc -dx "$1"
	eval "wait \$supervisor_$(echo "$1" | tr -c 'a-zA-Z0-9\n' _)"
	echo "supervisor of $1: $?"
}
dt_all() { # service, program...
	dt_begin "$1"
	dt_start "$@"
	dt_stop "$1"
	dt_leave "$1"
}

. /etc/scenarios
wait
: >/out/complete
