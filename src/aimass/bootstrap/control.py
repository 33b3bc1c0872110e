"""The control process, behind one Unix socket: ``python -m aimass.bootstrap.control``.

What it serves is in :mod:`aimass.bootstrap.application`, which is loaded without looking for garbage meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aimass.infra.parent import die_with_parent
from aimass.kernel.capability import load
from aimass.kernel.lasting import lasting


def main(arguments: list[str] | None = None) -> None:
    """Serve control until SIGTERM."""
    parser = argparse.ArgumentParser(prog="aimass-control")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--parent", type=int, help="process to die with")
    given = parser.parse_args(arguments)
    if given.parent:
        die_with_parent(given.parent)
    with lasting():
        app = load("aimass.bootstrap.application:build")(given.data_dir)
    load("aimass.bootstrap.application:serve")(app, given.socket)
    sys.exit(0)


if __name__ == "__main__":
    main()
