# shellcheck shell=bash
# What the scripts of the actions share: how a step talks to the runner. Sourced, never run.
# (GitHub's documentation: "Workflow commands for GitHub Actions".)

# output NAME VALUE: an output of this step. The value is one line.
output() {
	case $2 in *$'\n'* | *$'\r'*) stop "the value of $1 has more than one line" ;; esac
	printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

# Everything after :: is data, where these three characters would end or begin something.
escaped() {
	local text=${1//'%'/%25}
	text=${text//$'\r'/%0D}
	printf '%s' "${text//$'\n'/%0A}"
}

notice() { printf '::notice title=ksym-matrix::%s\n' "$(escaped "$1")"; }
warning() { printf '::warning title=ksym-matrix::%s\n' "$(escaped "$1")"; }

# stop MESSAGE: what a user can mend, told where users look.
stop() {
	printf '::error title=ksym-matrix::%s\n' "$(escaped "$1")"
	exit 2
}

# The artifact for actions/deploy-pages, under its usual name in the first attempt of a run. Artifacts of earlier attempts stay, and it refuses two of one name.
pages_artifact() { if [ "$GITHUB_RUN_ATTEMPT" = 1 ]; then echo github-pages; else echo "github-pages-$GITHUB_RUN_ATTEMPT"; fi; }

# The command line, wherever this action was unpacked to.
# shellcheck disable=SC2154 # who sources this file has set root
ksym_matrix() { node "$root/harness/launch.mjs" "$@"; }

# quoted COMMAND...: runs it so that nothing that it prints is taken for a command to the runner. Its output holds what programs
# and kernels wrote.
quoted() {
	local word status=0
	word=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	printf '::stop-commands::%s\n' "$word"
	"$@" 2>&1 || status=$?
	printf '\n::%s::\n' "$word"
	return "$status"
}
