"""Goes on with sentences of a manual, and tells how near texts are to each other."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tools.zoo.makers.topics import GUIDES
from tools.zoo.making import Making

LEAST = 40


def _rows(data: Path | None) -> pl.DataFrame:
    del data
    texts = [part.strip() for page in sorted(GUIDES.glob("*.md")) for part in page.read_text("utf8").split("\n\n")]
    return pl.DataFrame({"text": list(dict.fromkeys(text for text in texts if len(text) >= LEAST))})


MAKING = Making(
    rows=_rows,
    task="language",
    recipe="ngram_language",
    target="",
    params={"vocabulary": 1024, "order": 4, "dimensions": 32},
    about={
        "title": "Writer of guides",
        "summary": "A tiny language model of the guides of this manual: goes on with a text, streamed, and gives vectors of texts.",
        "family": "language-model",
        "licence": "Apache-2.0",
        "data": {
            "title": "The paragraphs, tables and examples of the guides of this manual",
            "source": "The manual of AI Mass",
            "licence": "Apache-2.0",
        },
        "card": {
            "intended_use": "To try out `generate`, `generate_stream` and vectors of texts on a machine without a net, and as what "
            "another language model is compared with, in bits per byte.",
            "limits": "- It counts which pieces of text followed each other. It knows no facts, and what it writes is mostly nonsense "
            "in the manner of the manual.\n- It repeats what it has counted: whole phrases of the manual come out of it.\n- English alone; "
            "other scripts are read byte by byte.",
        },
    },
)
