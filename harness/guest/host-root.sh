# Runs in the guest: mounts the host's root file system, which virtiofs offers under the tag "host", with the guest's own /dev, /proc, /sys and /run in
# it. The first line of output is the folder it lies in, the second tells how it can be written to.
mkdir -p /host /layer

# The device was plugged in a moment ago.
tries=0
until complaint=$(mount -t virtiofs -o ro host /host 2>&1); do
	tries=$((tries + 1))
	if [ "$tries" -gt 200 ]; then
		echo "$complaint" >&2
		exit 1
	fi
	usleep 20000
done

mount -t tmpfs tmpfs /layer
mkdir -p /layer/files /layer/work /layer/root
# An ordinary user's virtiofsd (the one in C) refuses overlayfs, which opens with O_NOATIME, every file that is not the user's.
if mount -t overlay -o lowerdir=/host,upperdir=/layer/files,workdir=/layer/work overlay /layer/root 2>/dev/null &&
	head -c 1 /layer/root/bin/sh >/dev/null 2>&1; then
	root=/layer/root
	how=overlay
else
	umount /layer/root 2>/dev/null
	root=/host
	how=read-only
	mount -t tmpfs tmpfs $root/tmp
	mount -t tmpfs tmpfs $root/var/tmp
fi

mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts 2>/dev/null
mount -t tmpfs tmpfs /dev/shm
for folder in dev proc sys; do
	mount -o rbind /$folder $root/$folder || exit 1
done
mount -t tmpfs tmpfs $root/run
mkdir -p $root/run/ksym-matrix $root/run/lock
mount -o bind /bin $root/run/ksym-matrix || exit 1
echo $root
echo $how
