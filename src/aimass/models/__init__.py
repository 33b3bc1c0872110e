"""The model library: packages and runtimes, versions, cards, review and aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.models.children.package import Candidate, Parity, Rows, build_package
    from aimass.models.package import (
        Column,
        Manifest,
        Output,
        Package,
        Signature,
        read_package,
        verify_package,
        write_package,
    )
    from aimass.models.runtimes import load_model

_PACKAGE = "aimass.models.package"
__getattr__, __dir__ = door(
    __name__,
    {
        "Candidate": "aimass.models.children.package",
        "Column": _PACKAGE,
        "Manifest": _PACKAGE,
        "Output": _PACKAGE,
        "Package": _PACKAGE,
        "Parity": "aimass.models.children.package",
        "Rows": "aimass.models.children.package",
        "Signature": _PACKAGE,
        "build_package": "aimass.models.children.package",
        "load_model": "aimass.models.runtimes",
        "read_package": _PACKAGE,
        "verify_package": _PACKAGE,
        "write_package": _PACKAGE,
    },
)
__all__ = [
    "Candidate",
    "Column",
    "Manifest",
    "Output",
    "Package",
    "Parity",
    "Rows",
    "Signature",
    "build_package",
    "load_model",
    "read_package",
    "verify_package",
    "write_package",
]
