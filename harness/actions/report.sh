#!/usr/bin/env bash
# Shows the results: the job's summary, annotations at lines of C, the site. One that fails keeps none of the others from being written.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

base=()
[ -z "$BASE_RESULTS" ] || base=(--base "$BASE_RESULTS")
links=()
[ -z "$SITE_URL" ] || links=(--site-url "$SITE_URL")
runs=()
[ -z "$HISTORY" ] || runs=(--history "$HISTORY")
failed=()

report() { ksym_matrix report "$RESULTS" --format "$@"; }

# Only a summary that is complete is shown.
summary=$FOLDER/summary.md
if report github-summary "${base[@]}" "${links[@]}" >"$summary"; then cat -- "$summary" >>"$GITHUB_STEP_SUMMARY"; else failed+=(summary); fi
report github-annotations "${base[@]}" || failed+=(annotations)
if report html "${base[@]}" "${links[@]}" "${runs[@]}" --output "$FOLDER/site"; then
	output site "$FOLDER/site"
	output pages-artifact "$(pages_artifact)"
else
	failed+=(site)
fi

if [ -n "$BASE_RESULTS" ]; then
	if ksym_matrix diff "$BASE_RESULTS" "$RESULTS" --format json --output "$FOLDER/changes.json"; then
		output changed "$(node -p 'JSON.parse(fs.readFileSync(process.argv[1], "utf8")).changes.length' "$FOLDER/changes.json")"
	else
		failed+=(comparison)
	fi
fi

[ "${#failed[@]}" -eq 0 ] || stop "not written: ${failed[*]}"
