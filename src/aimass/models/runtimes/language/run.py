"""Load a language model: it says how likely texts are, where they lie, and how they go on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from aimass.kernel.errors import Invalid
from aimass.models.package import Package
from aimass.models.runtimes.language.brains import Brain, Counted, net_of
from aimass.models.runtimes.language.going_on import MOST_ROWS, Wish, go_on
from aimass.models.runtimes.language.manifest import ABOUT, GRAPH, TABLES
from aimass.models.runtimes.language.pieces import Pieces


class LanguageModel:
    """A language model in memory."""

    def __init__(self, package: Package, *, threads: int = 1) -> None:
        about = json.loads((package.folder / ABOUT).read_text("utf-8"))
        self._column = package.manifest.signature.inputs[0].name
        self._pieces = Pieces(about["merges"])
        self._brain: Brain
        if GRAPH in package.manifest.files:
            self._brain = net_of((package.folder / GRAPH).read_bytes(), int(about["context"]), threads)
        else:
            with np.load(package.folder / TABLES, allow_pickle=False) as tables:
                self._brain = Counted(dict(tables))

    def predict(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Say of each text how many bits and pieces it is, and its vector; it is not gone on with."""
        texts = self._texts(columns)
        return {"text_output": [""] * len(texts), **read_texts(self._pieces, self._brain, texts)}

    def predict_stream(self, columns: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Say first what :meth:`predict` says of the texts, then go on with each of them, piece by piece."""
        wish, texts = Wish.of(parameters), self._texts(columns)
        if wish.max_tokens and len(texts) > MOST_ROWS:
            raise Invalid(
                f"{len(texts)} texts are too many to go on with at once",
                field=self._column,
                value=len(texts),
                allowed=f"at most {MOST_ROWS}",
                hint="ask for fewer, or for max_tokens 0 where vectors and bits are wanted alone",
            )
        first = self.predict(columns)
        yield first
        nothing = {name: np.asarray(values)[:0] for name, values in first.items() if name != "text_output"}
        for said in go_on(self._pieces, self._brain, texts, wish):
            yield {"text_output": said, **nothing}

    def _texts(self, columns: Mapping[str, Any]) -> list[str]:
        return ["" if text is None else str(text) for text in columns[self._column]]


def read_texts(pieces: Pieces, brain: Brain, texts: Sequence[str]) -> dict[str, Any]:
    """Return bits, pieces (with the end) and vector of each text."""
    cut = [pieces.cut(text) for text in texts]
    read = [brain.read(one) for one in cut] or [brain.read([])]
    return {
        "bits": np.array([bits for bits, _ in read], dtype=float)[: len(cut)],
        "tokens": np.array([len(one) + 1 for one in cut], dtype=np.int64),
        "embedding": np.stack([vector for _, vector in read])[: len(cut)],
    }


def load(package: Package, *, threads: int = 1) -> LanguageModel:
    """Load a package."""
    return LanguageModel(package, threads=threads)
