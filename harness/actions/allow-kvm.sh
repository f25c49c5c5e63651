#!/usr/bin/env bash
# allow-kvm.sh [DEVICE]: lets this user have /dev/kvm. Hosted x64 runners have the device, for root alone; without it machines are emulated, which is slower
# and says the same.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

device=${1:-/dev/kvm}
usable() { [ -r "$device" ] && [ -w "$device" ]; }

if [ ! -e "$device" ]; then
	notice "this runner has no $device (arm64 runners have none, x64 ones do): machines are emulated, which takes several times as long"
	exit 0
fi
if usable; then
	echo "$device can be used as it is"
	exit 0
fi
# A rule stays when udev looks at the device again; where there is no udev, as in a container, the mode alone is changed.
rule='KERNEL=="kvm", GROUP="kvm", MODE="0666", OPTIONS+="static_node=kvm"'
if command -v udevadm >/dev/null && printf '%s\n' "$rule" | sudo -n tee /etc/udev/rules.d/99-kvm4all.rules >/dev/null; then
	sudo -n udevadm control --reload-rules || true
	sudo -n udevadm trigger --name-match=kvm || true
	sudo -n udevadm settle --timeout=10 || true
fi
usable || sudo -n chmod 0666 "$device" || true
if usable; then
	echo "$device can be used now"
else
	warning "$device is there, but this user cannot have it: machines are emulated, which takes several times as long"
fi
