#!/usr/bin/env bash
# Says as an output whether this runner's Node is new enough; an older one gets a newer Node beside it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=harness/actions/workflow.sh
. "$root/harness/actions/workflow.sh"

recent='const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'
if command -v node >/dev/null && node -e "$recent"; then output recent true; else output recent false; fi
