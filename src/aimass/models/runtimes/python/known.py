"""Which types a skops file may hold; nothing of it is built."""

from __future__ import annotations

from pathlib import Path

import skops.io

from aimass.models.errors import BrokenPackage

# Types beyond the defaults of skops that fitted pipelines of our recipes hold; data only, no code.
KNOWN = frozenset(
    {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)


def check_types(file: Path) -> None:
    """Refuse a file with a type that the runtime would not build."""
    unknown = sorted(set(skops.io.get_untrusted_types(file=file)) - KNOWN)
    if unknown:
        raise BrokenPackage(
            f"{file.name} holds the type {unknown[0]!r}", field="files", value=unknown[0], allowed=sorted(KNOWN)
        )
