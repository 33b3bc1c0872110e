"""Look into a skops file without building anything of it."""

from __future__ import annotations

from pathlib import Path

import skops.io

from aimass.models.errors import BrokenPackage
from aimass.models.package import Package

# Types beyond the defaults of skops that fitted pipelines of our recipes hold; data only, no code.
KNOWN = frozenset(
    {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)


def check(package: Package, file: str) -> str:
    """Refuse a file with a type that the runtime would not build; return one sentence on what was found."""
    check_types(package.folder / file)
    return "only known types"


def check_types(file: Path) -> None:
    """Refuse a file with a type that the runtime would not build."""
    unknown = sorted(set(skops.io.get_untrusted_types(file=file)) - KNOWN)
    if unknown:
        raise BrokenPackage(
            f"{file.name} holds the type {unknown[0]!r}", field="files", value=unknown[0], allowed=sorted(KNOWN)
        )
