"""Make the environment of a lock, and tell how far that is: ``python -m aimass.serving.children.environment ROOT LOCK PYTHON``.

Lines on the standard output are progress; the last line on the standard error is the reason of a failure.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aimass.infra.compute import Environment, installer_environment, make_environment
from aimass.infra.parent import die_with_parent
from aimass.kernel.errors import AimassError


def main() -> int:
    """Make one environment."""
    parser = argparse.ArgumentParser(prog="python -m aimass.serving.children.environment", description="Make one.")
    parser.add_argument("root", type=Path, help="folder of the environment")
    parser.add_argument("lock", type=Path, help="file of requirements")
    parser.add_argument("python", help="version of Python")
    parser.add_argument("--parent-pid", type=int, help="end at once when this parent is gone already")
    given = parser.parse_args()
    die_with_parent(given.parent_pid)
    try:
        make_environment(Environment(given.root), given.lock, given.python, installer_environment(), _say)
    except AimassError as error:
        sys.stderr.write(" ".join(f"{error.message} {error.hint}".split()) + "\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
