"""Load a package in a process of its own, and print what it answers to the rows in its ``samples.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from aimass.models.children.smoke import bound
from aimass.models.package import verify_package
from aimass.models.runtimes import load_model


def answers(folder: Path, module: str) -> dict[str, Any]:
    """Return the answers as JSON."""
    package = verify_package(folder)
    found = load_model(package, module=module).predict(package.samples()["inputs"])
    return {name: np.asarray(values).tolist() for name, values in found.items()}


def main() -> None:
    """Run with the package's folder and the module of its runtime; the last line that is printed is the answer."""
    bound()
    sys.stdout.write("\n" + json.dumps(answers(Path(sys.argv[1]), sys.argv[2]), allow_nan=False))


if __name__ == "__main__":
    main()
