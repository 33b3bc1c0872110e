"""Environments of their own for outside clients, whose requirements differ from ours and from each other's.

Each is made once from its lock file, in the user's cache, under a name that carries the hash of the lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "aimass-tests" / "clients"


def python_of(name: str) -> Path:
    """The interpreter of an environment, made when it is not there yet."""
    lock = HERE / "requirements" / f"{name}.txt"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = _CACHE / f"{name}-{version}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f"{home.name}.lock").open("ab") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (home / ".ready").exists():
            _make(home, lock)
    return home / "bin" / "python"


def _make(home: Path, lock: Path) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", str(home / "bin" / "python"), "--no-deps"]
    subprocess.run([*install, "--require-hashes", "-r", str(lock)], check=True)
    (home / ".ready").touch()


def run_client(name: str, program: str, told: dict[str, Any]) -> dict[str, Any]:
    """Run a program in an environment; it prints what it found as one line of JSON."""
    command = [str(python_of(name)), str(HERE / "programs" / f"{program}.py"), json.dumps(told)]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **told.get("environment", {})}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])
