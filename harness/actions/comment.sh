#!/usr/bin/env bash
# Comments on the pull request, where this run has a token that may. It never decides about the job: what it cannot do is a warning.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

if [ "$GITHUB_EVENT_NAME" != pull_request ]; then
	echo "no pull request, so no comment"
	exit 0
fi
# GitHub gives these a token that can only read, whatever the workflow asks for. Dependabot's has what the workflow asks for.
if [ "$HEAD_REPOSITORY" != "$GITHUB_REPOSITORY" ]; then
	notice "the token of a pull request from a fork can only read: the workflow that runs after this one comments (docs/github.md, \"Comments, from forks too\")"
	exit 0
fi
arguments=(--results "$FOLDER/results" --event "$GITHUB_EVENT_PATH" --comment "$COMMENT" --name "$NAME")
[ -z "$SITE_URL" ] || arguments+=(--site-url "$SITE_URL")
ksym_matrix github publish "${arguments[@]}" ||
	warning "the comment could not be written (its reason is above); does the job have the permission pull-requests: write?"
