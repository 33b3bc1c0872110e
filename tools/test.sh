#!/usr/bin/env bash
# The suite (without what is marked long), and beside it the checks. The servers and browsers come from Debian's packages.
set -uo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # a suite starts thousands of processes: each would compile the whole of AI Mass again
bash tools/engines.sh || exit 1
told=$(mktemp)
trap 'rm -f "$told"' EXIT
bash tools/check.sh >"$told" 2>&1 &
checks=$!
failed=0
# three at a time on two cores, as in test-long.sh: much of it waits for other processes
.venv/bin/pytest -q -n 3 --durations 40 --dist loadfile --no-loadscope-reorder -p no:randomly -m "not long" --doctest-modules tests src "$@" || failed=1
wait "$checks" || failed=1
cat "$told"
exit $failed
