#!/usr/bin/env bash
# history.sh fetch | push: the history of runs on a branch of its own, one small JSON file a run. Its commit has no parent and replaces the one
# before, so the repository grows by what is kept and no more.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

history=$FOLDER/history
export GIT_TERMINAL_PROMPT=0

# The token comes from the environment of this process: not from its arguments, which all processes can read, and not from a file.
# shellcheck disable=SC2016 # git's shell fills it in
authorised() { git -C "$history" -c credential.helper= -c credential.helper='!f() { [ "$1" != get ] || printf "username=x-access-token\npassword=%s\n" "$GITHUB_TOKEN"; }; f' "$@"; }

fetch() {
	git check-ref-format "refs/heads/$HISTORY_BRANCH" || stop "input history-branch: \"$HISTORY_BRANCH\" is no name for a branch"
	rm -rf "$history"
	git init --quiet "$history"
	local address=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY found
	found=$(authorised ls-remote "$address" "refs/heads/$HISTORY_BRANCH")
	if [ -z "$found" ]; then
		notice "there is no branch $HISTORY_BRANCH yet: the history begins with this run"
		return
	fi
	authorised fetch --quiet --depth 1 "$address" "refs/heads/$HISTORY_BRANCH"
	git -C "$history" checkout --quiet --detach FETCH_HEAD
}

push() {
	local before commit tree
	before=$(git -C "$history" rev-parse --quiet --verify HEAD || true)
	git -C "$history" add --all runs
	tree=$(git -C "$history" write-tree)
	if [ -n "$before" ] && [ "$tree" = "$(git -C "$history" rev-parse "$before^{tree}")" ]; then
		echo 'the history has this run already'
		return
	fi
	commit=$(git -C "$history" -c user.name='github-actions[bot]' -c user.email='41898282+github-actions[bot]@users.noreply.github.com' \
		commit-tree -m "Results of $GITHUB_REPOSITORY" "$tree")
	# Only over what was fetched: of two that write at the same time, one fails and nothing is lost.
	authorised push --quiet --force-with-lease="refs/heads/$HISTORY_BRANCH:$before" \
		"$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" "$commit:refs/heads/$HISTORY_BRANCH"
}

case $1 in
fetch) fetch ;;
push) push ;;
esac
