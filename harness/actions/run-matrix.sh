#!/usr/bin/env bash
# Runs the matrix, or merges what shards of it have found, and says as outputs what came of it. It fails only without results:
# whether they pass is for gate.sh to say, when everybody has seen them.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

results=$FOLDER/results/results.json
export KSYM_MATRIX_CACHE=$CACHE_FOLDER

run() {
	local arguments=(run --setup --matrix "$MATRIX" --json "$results" --retries "$RETRIES") words
	[ -z "$JOBS" ] || arguments+=(--jobs "$JOBS")
	[ "$LOCKED" = false ] || arguments+=(--locked)
	add_words kernels --kernel "$KERNELS"
	add_words programs --program "$PROGRAMS"
	add_words loaders --loader "$LOADERS"
	quoted ksym_matrix "${arguments[@]}"
}

add_words() { # INPUT OPTION VALUE
	local line
	[ -n "$3" ] || return 0
	words=$(node "$root/harness/actions/words.mjs" "$3" 2>&1) || stop "input $1: $words"
	[ -n "$words" ] || return 0
	arguments+=("$2")
	while IFS= read -r line; do arguments+=("$line"); done <<<"$words"
}

merge() {
	local files=() file
	# Each shard's artifact is a folder of its own. Names come in the order of the shell's locale, and the result does not depend on it.
	while IFS= read -r -d '' file; do files+=("$file"); done < <(find "$SHARDS" -name results.json -type f -print0 | LC_ALL=C sort -z)
	[ "${#files[@]}" -gt 0 ] || stop "input shards: no results.json below $SHARDS; were the artifacts of the shards downloaded there?"
	quoted ksym_matrix merge "${files[@]}" --output "$results"
}

status=0
if [ -n "$SHARDS" ]; then merge || status=$?; else run || status=$?; fi

runs=$CACHE_FOLDER/runs/latest
[ -n "$SHARDS" ] || [ ! -e "$runs" ] || output evidence "$(readlink -f "$runs")"

if [ ! -s "$results" ]; then
	output exit-code "$status"
	stop "there are no results: ksym-matrix ended with exit code $status, and its messages are above"
fi
output results "$results"
node "$root/harness/actions/totals.mjs" "$results" "$status" >>"$GITHUB_OUTPUT"

restored=$FOLDER/base/results.json
[ -s "$restored" ] || exit 0
# Another version of this program may have written it.
if quoted ksym_matrix report "$restored" --format badge --output /dev/null; then
	# In the artifact it is base.json, so that a comment says what this gate said.
	cp -- "$restored" "$FOLDER/results/base.json"
	output base "$FOLDER/results/base.json"
elif [ "$BASE" = default-branch ]; then
	notice "the results of the default branch cannot be read (the reason is above), so nothing is compared with them; its next run leaves others"
else
	stop "input base: $BASE cannot be read (the reason is above)"
fi
