#!/usr/bin/env bash
# The first step: checks the inputs, and says as outputs where everything lies and which caches fit.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

one_of() { # INPUT VALUE CHOICE...
	local input=$1 value=$2 choice
	shift 2
	for choice in "$@"; do [ "$value" != "$choice" ] || return 0; done
	stop "input $input: \"$value\" is none of: $*"
}

[[ $NAME =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ ]] ||
	stop "input name: \"$NAME\" is no name for artifacts: letters, digits, dots, dashes and underscores are"
one_of comment "$COMMENT" always changes off
one_of fail-on "$FAIL_ON" red regressed never
one_of publish "$PUBLISH" true false
one_of report "$REPORT" true false
one_of cache "$CACHE" true false
one_of locked "$LOCKED" true false
[[ $JOBS =~ ^([1-9][0-9]*)?$ ]] || stop "input jobs: \"$JOBS\" is no number"
[[ $RETRIES =~ ^[0-9]+$ ]] || stop "input retries: \"$RETRIES\" is no number"
if [ -n "$SHARDS" ]; then
	[ -d "$SHARDS" ] || stop "input shards: there is no folder $SHARDS in $PWD"
else
	[ -f "$MATRIX" ] || stop "input matrix: there is no file $MATRIX in $PWD (was the repository checked out before?)"
fi

folder=$RUNNER_TEMP/$NAME
rm -rf "$folder"
mkdir -p "$folder/results" "$folder/base"
output folder "$folder"

case $BASE in
none) output restore-base false ;;
default-branch) output restore-base true ;;
*)
	output restore-base false
	[ -f "$BASE" ] || stop "input base: there is no file $BASE in $PWD; it is a file with results, default-branch or none"
	cp -- "$BASE" "$folder/base/results.json"
	;;
esac

# Only code of the default branch may fill caches, because every pull request reads them. pull_request_target runs with the
# default branch's name as well, so events are named one by one.
trusted=false
case $GITHUB_EVENT_NAME in
push | schedule | workflow_dispatch) [ "$GITHUB_REF" != "refs/heads/$DEFAULT_BRANCH" ] || trusted=true ;;
esac
output trusted "$trusted"

digest() { sha256sum | cut -c 1-20; }

cache_folder=${KSYM_MATRIX_CACHE:-$HOME/.cache/ksym-matrix}
mkdir -p "$cache_folder"
output cache-folder "$cache_folder"
output npm-cache "${npm_config_cache:-$HOME/.npm}"
output npm-key "ksym-matrix-npm-$RUNNER_OS-$RUNNER_ARCH-$(digest <"$root/package-lock.json")"

# An entry never changes once it is saved. Kernels that are not locked do: their entry is made anew each week.
kernels_key="ksym-matrix-kernels-$RUNNER_OS-$RUNNER_ARCH"
if [ -z "$SHARDS" ]; then
	matrix_name=$(basename "$MATRIX")
	matrix_name=${matrix_name%.y*ml}
	[ "$matrix_name" != matrix ] || matrix_name=kernels
	lock=$(dirname "$MATRIX")/kernels/$matrix_name.lock.yaml
	wanted=$({
		printf '%s\n' "$KERNELS" "$LOADERS"
		cat -- "$MATRIX"
		[ ! -f "$lock" ] || cat -- "$lock"
	} | digest)
	chosen=$(printf '%s\n' "$MATRIX $KERNELS $LOADERS" | digest)
	[ "$LOCKED" = true ] || wanted+=-$(date -u +%G-%V)
	output kernels-key "$kernels_key-$chosen-$wanted"
	# What is saved holds this entry's kernels alone: were it to begin with those of an earlier one, it would grow for ever. Nothing is removed from
	# the folder itself, which on a runner of one's own is the user's.
	if [ "$trusted" = true ]; then output kernels-near ''; else output kernels-near "$kernels_key-$chosen-"; fi
fi

output base-key "$NAME-base-$GITHUB_RUN_ID-$GITHUB_RUN_ATTEMPT"
output base-near "$NAME-base-"
