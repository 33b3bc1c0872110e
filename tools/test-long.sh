#!/usr/bin/env bash
# Faults, browsers and outside clients.
set -uo pipefail
cd "$(dirname "$0")/.."
bash tools/engines.sh || exit 1
# three at a time on two cores: much of it waits for processes that were killed, and for pages
.venv/bin/pytest -q -n 3 --durations 40 --dist loadfile -p no:randomly -m long --timeout 1200 tests "$@"
