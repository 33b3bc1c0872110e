"""Load a Python package: a pipeline in a skops file, or the class that it names as its entry.

Nothing heavy is imported here: which libraries there are is the environment's business.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from aimass.models.package import Package
from aimass.models.runtimes.python.entry import entry_of

_HERE = __name__.rpartition(".")[0]
_WARM = ("numpy", "polars", "sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline", "lightgbm", "skops.io")


def load(package: Package, *, threads: int = 1) -> Any:
    """Load a package; its own code runs when it brings any."""
    entry = entry_of(package)
    if entry is None:
        return import_module(f"{_HERE}.pipeline").load(package, threads=threads)
    return import_module(f"{_HERE}.code").load(package, entry, threads)


def warm() -> None:
    """Import what packages are likely to need, as far as it is installed."""
    for name in _WARM:
        if find_spec(name.partition(".")[0]) is not None:
            import_module(name)
