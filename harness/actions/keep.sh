#!/usr/bin/env bash
# On the default branch: what this run found is what the next ones are compared with, unless it could not find out.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

if [ "${EXIT_CODE:-3}" -gt 1 ]; then
	notice "these results are not complete, so the ones before remain the base"
	output keep false
	exit 0
fi
cp -- "$RESULTS" "$FOLDER/base/results.json"
output keep true
