#!/usr/bin/env bash
# The checks, then the suite (without what is marked long). The servers and browsers it uses come from Debian's packages.
set -uo pipefail
cd "$(dirname "$0")/.."
bash tools/engines.sh || exit 1
failed=0
bash tools/check.sh || failed=1
.venv/bin/pytest -q -n 2 --durations 40 --dist loadfile -p no:randomly -m "not long" --doctest-modules tests src "$@" || failed=1
exit $failed
