# In namespaces of its own: a machine whose /etc has one service, in the directory that the starters name; then the starter of $1
# starts svtree, and stops it. The service says in the file $SAID that it is up, and that it was stopped.
# shellcheck shell=sh disable=SC2016,SC2154
set -eu
starters=$PWD/packaging/starters
mount -t tmpfs tmpfs /etc
mount -t tmpfs tmpfs /run
mkdir -p /etc/catena/service/web /etc/init.d
mkdir -p /run/openrc/exclusive /run/openrc/starting /run/openrc/started /run/openrc/stopping /run/openrc/daemons /run/openrc/options
echo root:x:0:0::/:/bin/sh >/etc/passwd
echo root:x:0: >/etc/group
: >/run/openrc/softlevel
cat >/etc/catena/service/web/run <<RUN
#!/bin/sh
trap 'echo stopped >>"$SAID"; exit' TERM
echo up >>"$SAID"
while :; do sleep 0.02; done
RUN
chmod 755 /etc/catena/service/web/run
starter() { sed "s|/usr/bin/svtree|$B/svtree|" "$starters/$1"; }
said() {
	for _ in $(seq 3000); do
		[ "$(tail -n 1 "$SAID" 2>/dev/null)" != "$1" ] || return 0
		sleep 0.01
	done
	echo "the service was not $1" >&2
	return 1
}

case $1 in
openrc)
	starter catena.openrc >/etc/init.d/catena
	chmod 755 /etc/init.d/catena
	/etc/init.d/catena start
	said up
	/etc/init.d/catena reload
	/etc/init.d/catena stop
	said stopped
	;;
runit)
	mkdir /etc/sv
	cp -R "$starters/sv/catena" /etc/sv
	runsv /etc/sv/catena &
	said up
	sv -w 30 exit /etc/sv/catena
	said stopped
	;;
runit-2)
	starter runit-2 | sed "s|PATH=|&$B:|" >/etc/2
	sh /etc/2 &
	said up
	kill "$!"
	wait "$!"
	said stopped
	;;
busybox)
	starter inittab.busybox >/etc/inittab
	# The poweroff ends the namespace: what was said then is for the caller to see.
	echo "::once:/bin/sh /etc/1" >>/etc/inittab
	echo 'until [ -s "$SAID" ]; do sleep 0.01; done; kill -USR2 1' >/etc/1
	exec busybox init
	;;
esac
