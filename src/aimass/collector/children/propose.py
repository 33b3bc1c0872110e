"""Propose the types of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aimass.collector.connectors.file.run.read import propose_file


def propose(args: dict[str, Any]) -> dict[str, Any]:
    """Propose format, dialect and columns of a file from a sample.

    Parameters
    ----------
    args
        ``path``; ``given``: what is known already (``format, encoding, delimiter, quote, header, filename``).

    Returns
    -------
    dict
        A plan that can be pinned as it is, with ``examples`` and ``misfits`` (sampled cells that do not fit) per column.
    """
    return propose_file(Path(args["path"]), args.get("given") or {})
