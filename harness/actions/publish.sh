#!/usr/bin/env bash
# In a workflow_run job with a token that may write: takes results that may come from anybody's fork, and never runs or believes what is in
# them (docs/github.md, "What is trusted"). Who, where and which commit it is about comes from the event.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

if [ -z "$(ls -A "$RESULTS_FOLDER" 2>/dev/null)" ]; then
	warning "that run left no results named $NAME-results, or they could not be downloaded: nothing is published"
	exit 0
fi
case $FAIL_ON in
red) gate=() ;;
regressed) gate=(--fail-on 'regressed,new-red,flaky') ;;
*) stop "input fail-on: \"$FAIL_ON\" is none of: red regressed" ;;
esac
arguments=(--results "$RESULTS_FOLDER" --event "$GITHUB_EVENT_PATH" --comment "$COMMENT" --name "$NAME")
[ "$CHECK" = false ] || arguments+=(--check "${gate[@]}")
[ -z "$SITE_URL" ] || arguments+=(--site-url "$SITE_URL")
ksym_matrix github publish "${arguments[@]}"
