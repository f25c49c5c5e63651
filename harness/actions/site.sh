#!/usr/bin/env bash
# Adds a run to the history and writes the site of both.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

results=$RESULTS_FOLDER/results.json
if [ ! -s "$results" ]; then
	warning "that run left no results named $NAME-results, or they could not be downloaded: the site stays as it is"
	output written false
	exit 0
fi
[[ $KEEP =~ ^[1-9][0-9]*$ ]] || stop "input keep: \"$KEEP\" is no number of runs"
arguments=(--history "$FOLDER/history/runs")
[ ! -s "$RESULTS_FOLDER/base.json" ] || arguments+=(--base "$RESULTS_FOLDER/base.json")
[ -z "$SITE_URL" ] || arguments+=(--site-url "$SITE_URL")
mkdir -p "$FOLDER/history/runs"
ksym_matrix history add "$results" --to "$FOLDER/history/runs" --keep "$KEEP"
ksym_matrix report "$results" --format html "${arguments[@]}" --output "$FOLDER/site"
output site "$FOLDER/site"
output pages-artifact "$(pages_artifact)"
output written true
