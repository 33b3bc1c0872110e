#!/usr/bin/env bash
# Faults, browsers and outside clients.
set -uo pipefail
cd "$(dirname "$0")/.."
bash tools/engines.sh || exit 1
.venv/bin/pytest -q -n 2 --dist loadfile -p no:randomly -m long --timeout 1200 tests "$@"
