"""``python -m aimass`` and the ``aimass`` command."""

from __future__ import annotations

import sys

from aimass.cli import run

LOCAL = {
    "up": "aimass.bootstrap.commands:up",
    "run": "aimass.bootstrap.commands:run",
    "demo": "aimass.bootstrap.commands:demo",
    "doctor": "aimass.bootstrap.commands:doctor",
    "backup": "aimass.bootstrap.commands:backup",
    "restore": "aimass.bootstrap.commands:restore",
    "apply": "aimass.cli.apply:apply",
    "export": "aimass.cli.apply:export",
    "login": "aimass.cli.login:login",
    "logout": "aimass.cli.login:logout",
    "data collect": "aimass.cli.collect:collect",
    "data push": "aimass.cli.push:push",
    "models import-weights": "aimass.cli.weights:import_weights",
    "predict": "aimass.cli.predict:predict",
    "train file": "aimass.cli.train:file",
    "train tune": "aimass.cli.train:tune",
    "register": "aimass.cli.register:register",
}


def main() -> None:
    """Run the command line."""
    sys.exit(run(LOCAL))


if __name__ == "__main__":
    main()
