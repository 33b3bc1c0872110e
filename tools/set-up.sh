#!/usr/bin/env bash
# Make the virtual environment: exact versions with hashes, then AI Mass itself in editable form (which builds the console).
set -euo pipefail
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}" # pip trusts what the machine trusts; so does uv, behind a company's proxy too
python=$1 venv=$2
cd "$(dirname "$0")/.."
"$python" - <<'PY'
import sys
if sys.version_info < (3, 11):
    sys.exit(f"AI Mass needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make demo PYTHON=python3.12")
PY
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "setting up (about a minute the first time) ..."
grep -A 40 '^uv==' requirements.lock | awk 'NR==1 || /^ / {print} NR>1 && !/^ / {exit}' | grep -v '# via' > "$venv/uv.lock"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$venv/uv.lock"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes --no-deps --compile-bytecode -r requirements.lock
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --editable .
