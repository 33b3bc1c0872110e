"""Which passages of a manual answer what somebody looks for, in order."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tools.zoo.makers.topics import GUIDES, paragraphs
from tools.zoo.making import Making

OTHERS = 12
K1, B = 1.2, 0.75  # the usual constants of BM25, see S. Robertson and H. Zaragoza, doi:10.1561/1500000019


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A paragraph, and where it stands."""

    guide: str
    title: str
    section: str
    place: int
    words: tuple[str, ...]


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text, without the endings of plurals.

    Examples
    --------
    >>> words("Files of a bucket, packed or not")
    ('file', 'of', 'bucket', 'packed', 'or', 'not')
    """
    return tuple(word.removesuffix("s") for word in re.findall(r"[a-z0-9]{2,}", text.lower()))


def _rows(data: Path | None) -> pl.DataFrame:
    del data
    passages = [one for page in sorted(GUIDES.glob("*.md")) for one in _passages(page)]
    seen = Counter(word for one in passages for word in set(one.words))
    rare = {word: math.log(1 + (len(passages) - count + 0.5) / (count + 0.5)) for word, count in seen.items()}
    length = sum(len(one.words) for one in passages) / len(passages)
    draw = random.Random(0)  # noqa: S311 a draw of examples
    found: list[dict[str, float | str]] = []
    for guide, section in dict.fromkeys((one.guide, one.section) for one in passages if len(words(one.section)) > 1):
        near = [one for one in passages if one.guide == guide]
        far = draw.sample([one for one in passages if one.guide != guide], OTHERS)
        for one in (*near, *far):
            wanted = 2 if one.guide == guide and one.section == section else int(one.guide == guide)
            told = features(words(section), one, rare, length)
            found.append({"query": f"{guide}: {section}", "wanted": wanted, **told})
    return pl.DataFrame(found)


def features(query: tuple[str, ...], passage: Passage, rare: Mapping[str, float], length: float) -> dict[str, float]:
    """Return what is known of a query beside a passage."""
    counts = Counter(passage.words)
    size = len(passage.words)
    found = [word for word in query if word in counts]
    bm25 = sum(
        rare.get(word, 0.0) * counts[word] * (K1 + 1) / (counts[word] + K1 * (1 - B + B * size / length))
        for word in found
    )
    title = set(words(passage.title))
    return {
        "bm25": bm25,
        "share_found": len(set(found)) / len(set(query)),
        "share_in_title": len(title & set(query)) / max(len(title), 1),
        "rarest_found": max((rare.get(word, 0.0) for word in found), default=0.0),
        "first_found": next((n / size for n, word in enumerate(passage.words) if word in query), 1.0),
        "passage_words": float(size),
        "query_words": float(len(query)),
        "place": float(passage.place),
    }


def _passages(page: Path) -> list[Passage]:
    text = page.read_text(encoding="utf8")
    title = text.partition("\n")[0].lstrip("# ")
    return [
        Passage(guide=page.stem, title=title, section=section.partition("\n")[0], place=place, words=words(text))
        for section in text.split("\n## ")[1:]
        for place, text in enumerate(paragraphs(section.partition("\n")[2]))
    ]


MAKING = Making(
    rows=_rows,
    task="ranking",
    recipe="lightgbm",
    target="wanted",
    more={"group": "query"},
    about={
        "title": "Passages in order",
        "summary": "Orders the passages of a manual by how well they answer a query, from figures of their common words.",
        "family": "ranking",
        "licence": "Apache-2.0",
        "data": {
            "title": "Headings of the guides of this manual as queries, and its paragraphs as passages",
            "source": "The manual of AI Mass",
            "licence": "Apache-2.0",
        },
        "card": {
            "intended_use": "To try out orders, and as a second stage behind a search by words: `bm25`, the shares of "
            "words found, and where the first of them stands are counted by whoever asks.",
            "limits": "- A paragraph counts as wanted twice below its own heading, once on the same page. Nobody judged "
            "them.\n- It does not read texts itself.",
        },
    },
)
