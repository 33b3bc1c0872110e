"""Which part of the platform a question is about, from the paragraphs of its own manual."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from tools.zoo.making import Making

GUIDES = Path(__file__).parents[3] / "docs" / "guides"
TOPICS = {
    "data": "change-capture connections data-policies databases features files lake logs object-stores push queries sharing "
    "streams-of-devices streams views writing-a-connector",
    "training": "automatic-training compressing deep-learning online-learning own-recipe tasks tracking tuning",
    "serving": "batch-inference canary explaining graphs isolation scaling traffic execution",
    "gateway": "access-log limits outer-edge own-service response-cache slow-requests tls tracing",
    "accounts": "erasing-a-person sign-in-metrics signing-devices-in single-sign-on tokens-for-machines",
}
_SHORTEST = 40


def _rows(data: Path | None) -> pl.DataFrame:
    del data
    found = [
        {"text": text, "topic": topic, "section": f"{guide} {number}"}
        for topic, guides in TOPICS.items()
        for guide in guides.split()
        for number, section in enumerate((GUIDES / f"{guide}.md").read_text(encoding="utf8").split("\n## "))
        for text in paragraphs(section)
    ]
    return pl.DataFrame(found).unique("text", keep="first", maintain_order=True)


def paragraphs(page: str) -> list[str]:
    r"""Return what a page says, without code, tables and marks.

    Examples
    --------
    >>> paragraphs("# Files\n\nA *source* follows a folder, and takes what is new in it.\n\n```\nls\n```")
    ['A source follows a folder, and takes what is new in it.']
    """
    said = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    said = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", said)
    blocks = [re.sub(r"[`*_]|^[-#>] ?", "", " ".join(block.split())) for block in said.split("\n\n")]
    return [block for block in blocks if len(block) >= _SHORTEST and not block.startswith(("|", "#"))]


MAKING = Making(
    rows=_rows,
    task="classification",
    recipe="text_linear",
    target="topic",
    more={"group": "section"},
    about={
        "title": "What a question is about",
        "summary": "Sorts an English question or note about this platform into data, training, serving, gateway or accounts.",
        "family": "text-classification",
        "licence": "Apache-2.0",
        "data": {
            "title": "The paragraphs of the guides of this manual, by section",
            "source": "The manual of AI Mass",
            "licence": "Apache-2.0",
        },
        "card": {
            "intended_use": "To try out texts as inputs, and to send a question to those who know about it.",
            "limits": "- English only, and only about this platform.\n- It learned from explanations, not from questions. "
            "Whole sections were kept apart for judging, so the figures are those for words that it did not see "
            "together.",
        },
    },
)
