#!/bin/sh
# PID 1 of every machine: loads the modules that virtme-ng put into the initramfs, mounts what BPF needs
# and hands the machine over to the agent on its virtio-serial port. Nothing of the host is mounted.
export PATH=/bin

say() {
	echo "ksym-matrix: $*" >/dev/console
}

mkdir -p /proc /sys /dev /tmp /run /root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run

# An initramfs hands over to init=, so a kernel command line that asks for another init gets it.
read -r command_line </proc/cmdline
for argument in $command_line; do
	case "$argument" in
	init=*) exec "${argument#init=}" ;;
	esac
done

[ -e /modules/load_all.sh ] && . /modules/load_all.sh

# Each of these may be missing from a kernel's configuration; what needs it says so itself.
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null

# The port's device appears once the driver has asked the host for its name, so it may take a moment.
port=
tries=0
while [ -z "$port" ] && [ "$tries" -lt 600 ]; do
	for candidate in /sys/class/virtio-ports/*; do
		[ -e "$candidate/name" ] || continue
		read -r name <"$candidate/name"
		[ "$name" = org.ksym-matrix.agent ] && port="/dev/${candidate##*/}"
	done
	[ -n "$port" ] && [ -e "$port" ] && break
	port=
	tries=$((tries + 1))
	sleep 0.05
done

if [ -z "$port" ]; then
	say "no virtio-serial port named org.ksym-matrix.agent: does this kernel have virtio_pci and virtio_console?"
else
	say "agent starts on $port"
	/agent --port "$port"
	say "agent ended with status $?"
fi
/bin/busybox poweroff -f
