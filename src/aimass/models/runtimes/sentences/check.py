"""Look into the file of a model of summaries without running it."""

from __future__ import annotations

import json
from typing import Any

from aimass.models.errors import BrokenPackage
from aimass.models.package import Package
from aimass.models.runtimes.sentences.looks import BUCKETS, LOOKS, MOST_SENTENCES
from aimass.models.runtimes.sentences.manifest import FILE

_LARGE = 1e9


def check(package: Package, file: str) -> str:
    """Refuse a file that does not tell how sentences are chosen; return one sentence on what was found."""
    if file != FILE:
        raise BrokenPackage(f"file {file!r} is none of a model of summaries", field="files", value=file, allowed=[FILE])
    signature = package.manifest.signature
    if [one.type for one in signature.inputs] != ["string"] or [one.type for one in signature.outputs] != ["string"]:
        raise BrokenPackage("a model of summaries reads one text and answers with one", field="signature")
    try:
        told: dict[str, Any] = json.loads((package.folder / FILE).read_text("utf-8"))
        names = sorted(told)
        is_whole = names == ["bias", "characters", "diversity", "idf", "sentences", "weights"]
        numbers = [*told["weights"], *told["idf"], told["bias"], told["diversity"]] if is_whole else [None]
        fits = is_whole and len(told["weights"]) == len(LOOKS) and len(told["idf"]) == BUCKETS
    except (ValueError, TypeError, KeyError, RecursionError) as reason:
        raise BrokenPackage(f"{FILE!r} tells no weights", field="files", value=file) from reason
    are_numbers = all(
        isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < _LARGE for one in numbers
    )
    sizes = [told.get("sentences"), told.get("characters")]
    if not fits or not are_numbers or not all(type(one) is int and one >= 0 for one in sizes):
        raise BrokenPackage(
            f"{FILE!r} does not hold {len(LOOKS)} weights and {BUCKETS} frequencies", field="files", value=file
        )
    if not 1 <= told["sentences"] <= MOST_SENTENCES:
        raise BrokenPackage("sentences is none", field="sentences", allowed=f"1 to {MOST_SENTENCES}")
    return f"{len(LOOKS)} weights, at most {told['sentences']} sentences"
