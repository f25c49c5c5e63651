#!/bin/sh
# Runs a program in a mount namespace of its own where nothing can be written but one folder.
# usage: read-only.sh FOLDER PROGRAM [ARGUMENT...]
folder=$1
shift
mount --bind "$folder" "$folder" || exit 9
while read -r _ _ _ _ point _; do
	case $point in
	# Blanks in a path are written as \040.
	*\\*) point=$(printf '%b' "$(printf '%s' "$point" | sed 's/\\\([0-7]\{3\}\)/\\0\1/g')") ;;
	esac
	[ "$point" = "$folder" ] && continue
	# What is left writable decides: the guest must not be told that it cannot write when it can.
	mount -o remount,bind,ro "$point" 2>/dev/null || [ ! -w "$point" ] || exit 9
done </proc/self/mountinfo
# virtiofsd writes its process id below /run. Guests have a /run of their own.
mount -t tmpfs tmpfs /run || exit 9
exec setpriv --pdeathsig KILL -- "$@"
