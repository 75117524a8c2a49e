#!/bin/sh
# Makes a root directory whose file systems are this process's own, and runs driver.sh in it as process 1:
# sandbox.sh ROOT DAEMON POSE DIRECTORY..., where ROOT has etc already, and in usr/local/bin the programs of one side, or
# links into the directories, which are /opt/1, /opt/2, ... in it; DAEMON stands in for what the scripts
# run, and POSE starts the supervisors.
set -eu
root=$1 daemon=$2 pose=$3
shift 3
umask 022

# Base tools, and no other program of the system.
tools='awk basename cat chgrp chmod chown cksum cp cut date dirname echo env expr false grep head id install kill ln logger
	ls mkdir mkfifo mv nice printf ps readlink rm rmdir sed seq setsid sh sleep sort stat tail tee test touch tr true
	uname wc'
mkdir -p "$root/usr/bin" "$root/usr/local/bin" "$root/usr/local/sbin" "$root/usr/local/tools" "$root/usr/local/libexec"
for tool in $tools; do
	for directory in /usr/sbin /usr/bin /sbin /bin; do
		[ ! -x "$directory/$tool" ] || cp -L "$directory/$tool" "$root/usr/bin/$tool"
	done
done
# By their paths, as many scripts call them.
for file in "$root"/usr/local/bin/*; do
	name=${file##*/}
	[ -e "$root/usr/bin/$name" ] || ln -s "../local/bin/$name" "$root/usr/bin/$name"
done
ln -s usr/local/bin "$root/command"

# The stand-ins; each list is a file.
install -m 755 "$daemon" "$root/usr/local/daemon"
install -m 755 "$pose" "$root/usr/local/pose"
for directory in sbin tools libexec; do
	while read -r name; do
		[ -e "$root/usr/local/bin/$name" ] || ln "$root/usr/local/daemon" "$root/usr/local/$directory/$name"
	done <"$root/etc/$directory"
done

# What makes a root directory a system; libraries are the machine's.
populate() { # root
	for library in lib lib32 lib64 libx32; do
		if [ -h "/$library" ]; then
			cp -P "/$library" "$1/$library"
		elif [ -d "/$library" ]; then
			mkdir -p "$1/$library"
			mount --rbind "/$library" "$1/$library"
		fi
		if [ -d "/usr/$library" ] && [ ! -h "/usr/$library" ]; then
			mkdir -p "$1/usr/$library"
			mount --rbind "/usr/$library" "$1/usr/$library"
		fi
	done
	mkdir -p "$1/dev" "$1/state"
	for device in null zero full random urandom; do
		: >"$1/dev/$device"
		mount --bind "/dev/$device" "$1/dev/$device"
	done
}
populate "$root"
# Programs of others are in directories of libraries too.
for directory in execline runit s6 daemontools; do
	if [ -d "$root/usr/lib/$directory" ]; then mount -t tmpfs none "$root/usr/lib/$directory"; fi
done
if [ ! -e "$root/bin" ]; then ln -s usr/bin "$root/bin"; fi
ln -s usr/bin "$root/sbin"
ln -s bin "$root/usr/sbin"
mkdir -p "$root/proc" "$root/opt" "$root/home/alice" "$root/out" "$root/root"
mkdir -p "$root/run" "$root/var/log" "$root/var/lib" "$root/tmp" "$root/srv/jail" "$root/etc/dnscache/root"
while read -r directory uid; do
	mkdir -p "$root/$directory"
	chown "$uid:$uid" "$root/$directory"
done <"$root/etc/directories"
ln -s ../run "$root/var/run"
for place in etc/service var/service service; do ln -s /etc/sv "$root/$place"; done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/1 "$root/dev/stdout"
chmod 1777 "$root/tmp" "$root/state"
: >"$root/var/log/wtmp"
mount -t proc proc "$root/proc"
number=0
for directory; do
	number=$((number + 1))
	mkdir -p "$root/opt/$number"
	mount --bind "$directory" "$root/opt/$number"
done

# A second root for the service that has one.
populate "$root/srv/jail"
mkdir -p "$root/srv/jail/usr/local/sbin" "$root/srv/jail/etc"
ln "$root/usr/local/daemon" "$root/srv/jail/usr/local/sbin/jaild"
cp "$root/etc/passwd" "$root/etc/group" "$root/srv/jail/etc"
mount --bind "$root/state" "$root/srv/jail/state"

# Whatever the tests ignore: svrun starts a service with default dispositions, runsv with its own.
exec env -i --default-signal PATH=/usr/bin "$pose" closed=rest /usr/sbin/chroot "$root" setsid sh /etc/driver
