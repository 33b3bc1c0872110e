#!/usr/bin/env bash
# Format, lint, types, contracts, and that everything generated is up to date.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin failed=0
step() { echo "== $1"; shift; "$@" || failed=1; }
step "format" $bin/ruff format --check -q .
step "lint" $bin/ruff check -q .
step "types" $bin/basedpyright --level error
step "contracts" $bin/lint-imports --no-logo
step "generated files" $bin/python tools/generate.py --check
exit $failed
