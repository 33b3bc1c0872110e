"""Load a package in a process of its own, answer its samples, and print how that went; a crash stays here."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from aimass.models.children.package import replay_samples
from aimass.models.package import verify_package
from aimass.models.runtimes import load_model
from aimass.models.shapes import FREE

MEMORY_BYTES = 8 * 1024**3
FILE_BYTES = 256 * 1024**2  # what it prints goes into a file, too


def smoke(folder: Path, module: str) -> dict[str, Any]:
    """Answer one row, then all samples; measure the time of the one row."""
    package = verify_package(folder)
    model = load_model(package, module=module)
    inputs = package.samples()["inputs"]
    whole = {c.name for c in package.manifest.signature.inputs if c.shape is not None and c.shape[:1] != (FREE,)}
    one = {name: values if name in whole else values[:1] for name, values in inputs.items()}
    model.predict(one)
    start = time.perf_counter()
    model.predict(one)
    return {"row_us": round((time.perf_counter() - start) * 1e6), "parity": replay_samples(package, model)}


def bound() -> None:
    """Bound the memory of this process, and the files that it writes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))


def main() -> None:
    """Run with the package's folder and the module of its runtime; the last line that is printed is the answer."""
    bound()
    sys.stdout.write("\n" + json.dumps(smoke(Path(sys.argv[1]), sys.argv[2])))


if __name__ == "__main__":
    main()
