"""Look into the files of a language model without running it."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from aimass.models.errors import BrokenPackage
from aimass.models.package import Package, is_of_language
from aimass.models.runtimes.language.brains import MOST_HELD, Counted, held_by
from aimass.models.runtimes.language.manifest import ABOUT, GRAPH, TABLES
from aimass.models.runtimes.language.pieces import Pieces
from aimass.models.shapes import FREE

MOST_BYTES = 512 * 1024 * 1024
LONGEST_CONTEXT = 4096
_PAST = ("pieces before", "keys and values of all layers", "rows", "width")


def check(package: Package, file: str) -> str:
    """Refuse a file that is no part of a language model; return one sentence on what was found."""
    if file not in (ABOUT, TABLES, GRAPH):
        raise BrokenPackage(
            f"file {file!r} is none of a language model", field="files", value=file, allowed=[ABOUT, TABLES, GRAPH]
        )
    inputs, files = package.manifest.signature.inputs, package.manifest.files
    if not is_of_language(package.manifest.signature) or [(one.type, one.shape) for one in inputs] != [
        ("string", None)
    ]:
        raise BrokenPackage("a language model reads one text, and answers as one", field="signature")
    if ABOUT not in files or (TABLES in files) == (GRAPH in files):
        raise BrokenPackage(f"a language model has {ABOUT}, and either {TABLES} or {GRAPH}", field="files")
    pieces, context = _about(package.folder / ABOUT, needs_context=GRAPH in files)
    if file == TABLES:
        return _tables(package.folder / TABLES, pieces)
    if file == GRAPH:
        return f"{_graph(package.folder / GRAPH, context)} standard operators, looks back {context} pieces"
    return f"{pieces.size} pieces"


def _about(path: Path, *, needs_context: bool) -> tuple[Pieces, int]:
    try:
        about = json.loads(path.read_text("utf-8"))
        pieces, context = Pieces(about["merges"]), int(about["context"]) if needs_context else 0
    except (ValueError, KeyError, TypeError, RecursionError) as reason:
        raise BrokenPackage(f"{path.name!r} tells no pairs of pieces", field="files", value=path.name) from reason
    if needs_context and not 1 <= context <= LONGEST_CONTEXT:
        raise BrokenPackage("context is none", field="context", value=context, allowed=f"1 to {LONGEST_CONTEXT}")
    return pieces, context


def _tables(path: Path, pieces: Pieces) -> str:
    """Refuse tables that are too large unpacked, hold anything but numbers, or do not fit the pieces."""
    try:
        with ZipFile(path) as packed:
            size = sum(one.file_size for one in packed.infolist())
        if size > MOST_BYTES:
            raise BrokenPackage(f"{path.name!r} has {size} bytes unpacked", field="files", allowed=MOST_BYTES)
        with np.load(path, allow_pickle=False) as found:
            tables = dict(found)
        brain = Counted(tables)
        chances: Any = brain.following([])
        bits, _ = brain.read(pieces.cut("to see whether it reads"))
    except (OSError, BadZipFile, ValueError, KeyError, TypeError, IndexError) as reason:
        raise BrokenPackage(f"{path.name!r} holds no tables of counts", field="files", value=path.name) from reason
    if chances.shape != (pieces.size,) or not np.isfinite(chances).all() or not np.isfinite(bits):
        raise BrokenPackage(f"the tables do not fit the {pieces.size} pieces", field="files", value=path.name)
    return f"{sum(len(one) for name, one in tables.items() if name.startswith('grams_'))} runs of pieces"


def _graph(path: Path, context: int) -> int:
    """Refuse a graph that wants anything but pieces, or keeps more of them than a call may."""
    looked = import_module("aimass.models.runtimes.onnx.check")
    operators: int = looked.check_alone(path)
    inputs: dict[str, list[int]] = looked.inputs_of(path)
    if set(inputs) not in ({"pieces"}, {"pieces", "past"}) or len(inputs["pieces"]) != len(("row", "piece")):
        raise BrokenPackage(
            "the graph reads something else than pieces, and what is known of those before them",
            field="files",
            value=sorted(inputs)[:5],
            allowed=["pieces", "past"],
        )
    if "past" in inputs:
        _, parts, _, width = inputs["past"] if len(inputs["past"]) == len(_PAST) else (FREE, FREE, FREE, FREE)
        if parts < 1 or width < 1 or held_by((parts, width)) * context > MOST_HELD:
            raise BrokenPackage(
                f"what the graph keeps of {context} pieces is not told, or more than {MOST_HELD} bytes",
                field="files",
                value=inputs["past"],
                allowed=list(_PAST),
            )
    return operators
