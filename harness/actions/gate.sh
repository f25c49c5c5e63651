#!/usr/bin/env bash
# The last step: fails the job, or does not.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

# The step before has said why.
[ -n "$RESULTS" ] || exit "${EXIT_CODE:-3}"
[ "$FAIL_ON" != never ] || exit 0
if [ "${EXIT_CODE:-3}" -gt 1 ]; then
	stop "the run could not find everything out (exit code ${EXIT_CODE:-3}; cells that could not be tried: ${INFRA:-unknown}): nothing can be said of those"
fi
if [ "$FAIL_ON" = regressed ] && [ -n "$BASE_RESULTS" ]; then
	status=0
	quoted ksym_matrix diff "$BASE_RESULTS" "$RESULTS" --fail-on regressed,new-red,flaky || status=$?
	case $status in
	0) exit 0 ;;
	1) stop "worse than the base run: the changes are above and in the summary" ;;
	*) stop "the base run could not be compared with (exit code $status; the reason is above)" ;;
	esac
fi
[ "$FAIL_ON" != regressed ] || [ "$RED" -eq 0 ] || notice "there is no base run to compare with, so every red cell counts"
[ "$RED" -eq 0 ] || stop "red cells: $RED; they are in the summary"
