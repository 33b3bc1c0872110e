"""Tasks that are asked with one text: which rows hold one, what stands in the place of the truth, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aimass.models import Column, Output, Signature, language_outputs
from aimass.training.children.marking import TAGGING, check_places, signature_of_texts
from aimass.training.errors import Unlearnable
from aimass.training.measures.language import Passages
from aimass.training.measures.spans import Sentences
from aimass.training.measures.summaries import SUMMARY_OUTPUT, References

LANGUAGE, SUMMARY = "language", "summary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a task makes of texts.

    Attributes
    ----------
    truth
        What stands where other tasks have the truth; gets the texts, and the target of each.
    outputs
        What is answered, as far as it is known before anything is learned.
    notes
        What is odd about texts and targets; gets the name of the target too.
    needs_words
        Whether a text without words is left out.
    kept
        What folds keep of what a model said: nothing that people wrote.
    """

    truth: Callable[[list[str], pl.Series], Any]
    outputs: tuple[Output, ...]
    notes: Callable[[list[str], pl.Series, str], list[str]] = lambda _texts, _target, _name: []
    needs_words: bool = True
    kept: Callable[[Any], Any] = lambda said: said


READ: Mapping[str, Read] = {
    TAGGING: Read(
        truth=Sentences.of,
        outputs=signature_of_texts(pl.Series("text", [""])).outputs,
        notes=check_places,
        needs_words=False,
    ),
    LANGUAGE: Read(
        truth=lambda texts, _target: Passages.of(texts),
        outputs=language_outputs(1),
        kept=lambda said: said[:, :2],  # bits and pieces, no vectors
    ),
    SUMMARY: Read(
        truth=References.of,
        outputs=(Output(name=SUMMARY_OUTPUT, type="string", shape=(-1,)),),
        kept=lambda said: np.array([len(one) for one in said], dtype=float),  # characters
    ),
}


def has_words(texts: pl.Series) -> pl.Series:
    r"""Tell which texts are more than white space.

    Examples
    --------
    >>> has_words(pl.Series(["so", " \n", None])).to_list()
    [True, False, False]
    """
    return (texts.str.strip_chars() != "").fill_null(value=False)


def signature_for(task: str, texts: pl.Series) -> Signature:
    """Describe a model that reads one text."""
    column = Column(name=texts.name, type="string", nullable=texts.null_count() > 0)
    return Signature(inputs=(column,), outputs=READ[task].outputs)


def every_text(frame: pl.DataFrame, target: str) -> pl.Series:
    """Stand in for the target of a language model, which learns from texts alone; or refuse one that is named."""
    if target:
        raise Unlearnable(
            f"a language model learns from texts alone, and {target!r} is named as what it should predict",
            field="target",
            value=target,
            hint="name no target; a run takes the column of texts in its features where there are several",
        )
    return pl.Series("text", ["text"]).new_from_index(0, frame.height)


def references(frame: pl.DataFrame, target: str) -> pl.Series:
    """Return the summary that somebody wrote of each text, null where nobody has; or refuse a target that holds no texts."""
    column = frame[target]
    if column.dtype != pl.String:
        raise Unlearnable(
            f"target {target!r} holds {column.dtype}, and no summaries",
            field="target",
            value=target,
            hint="name the column of texts that people wrote as summaries",
        )
    found = column.str.strip_chars()
    found = pl.select(pl.when(found != "").then(found)).to_series().alias(target)
    if not found.drop_nulls().len():
        raise Unlearnable(f"target {target!r} holds no summary", field="target", value=target)
    return found
