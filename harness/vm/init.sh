#!/bin/sh
# PID 1 of every machine: loads the modules that virtme-ng put into the initramfs, mounts what BPF needs
# and hands the machine over to the agent on its virtio-serial port. Nothing of the host is mounted.
export PATH=/bin

say() {
	echo "ksym-matrix: $*" >/dev/console
}

# An emulated CPU needs 8 ms and more to start a process, so there are few: one for each mount would take a twentieth of the boot of 5.10.
mkdir -p /proc /sys /dev /tmp /run /root /etc
mount -t proc proc /proc
# What BPF programs want (bpf, securityfs, tracefs) may be missing from a kernel's configuration; what needs it says so itself.
echo 'sysfs /sys sysfs defaults 0 0
devtmpfs /dev devtmpfs defaults 0 0
tmpfs /tmp tmpfs defaults 0 0
tmpfs /run tmpfs defaults 0 0
bpf /sys/fs/bpf bpf defaults 0 0
securityfs /sys/kernel/security securityfs defaults 0 0
tracefs /sys/kernel/tracing tracefs defaults 0 0' >/etc/fstab
mount -a 2>/mount.log

# An initramfs hands over to init=, so a kernel command line that asks for another init gets it.
read -r command_line </proc/cmdline
for argument in $command_line; do
	case "$argument" in
	init=*) exec "${argument#init=}" ;;
	esac
done

[ -e /modules/load_all.sh ] && . /modules/load_all.sh

# Modules that programs want, each after what it needs. What the kernel says of one that it refuses stands between our two lines.
if [ -e /wanted-modules ]; then
	while read -r module; do
		[ -e "/sys/module/$module" ] && continue
		say "loading module $module"
		insmod "/wanted-$module.ko" 2>/insmod.log && continue
		read -r words </insmod.log
		say "module $module was not loaded: $words"
	done </wanted-modules
fi

# A driver that is not there by now will not come, and nobody is to wait for its devices.
lacking=
[ -e /sys/bus/virtio/drivers/virtio_console ] || lacking=virtio_console
[ -e /sys/bus/pci/drivers/virtio-pci ] || lacking=virtio_pci
if [ -n "$lacking" ]; then
	say "this kernel has no driver $lacking"
	/bin/busybox poweroff -f
fi

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
	say "no virtio-serial port named org.ksym-matrix.agent"
else
	say "agent starts on $port"
	/agent --port "$port"
	say "agent ended with status $?"
fi
/bin/busybox poweroff -f
