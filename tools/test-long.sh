#!/usr/bin/env bash
# Faults, browsers and outside clients.
set -uo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # as in test.sh: no process compiles AI Mass again
bash tools/engines.sh || exit 1
# what is long says so, or looks through a browser: nothing else has to be loaded to be left out
mapfile -t files < <(grep -rlE '\bmark\.long\b|\bbrowser\b' tests --include='test_*.py')
# three at a time on two cores: much of it waits for processes that were killed, and for pages
.venv/bin/pytest -q -n 3 --durations 40 --dist loadfile --no-loadscope-reorder -p no:randomly -m long --timeout 1200 "${files[@]}" "$@"
