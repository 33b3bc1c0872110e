"""Entities in texts: through the jobs, figures against an independent count, the chain against all paths, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from aimass.kernel.errors import AimassError, Invalid
from aimass.models import load_model, verify_package
from aimass.models.children.package import replay_samples
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.marking import check_places, entities
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.split import split
from aimass.training.errors import Unlearnable
from aimass.training.measures.spans import Sentences, compare_f1, f1_interval, span_curves, span_scores
from aimass.training.recipes.contract_of_marks import TaggingContract, marked
from aimass.training.recipes.linear_tagger.chain import FORBIDDEN, Rows, allowed, best_path, learn, tags_for

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
Make = Callable[..., Any]


class TestLinearTagger(TaggingContract):
    __test__ = True
    recipe = "linear_tagger"


class TestLinearTaggerOfWordsAlone(TaggingContract):
    __test__ = True
    recipe = "linear_tagger"
    quick: ClassVar = {"window": 0, "letters": 0, "min_words": 1}
    least_f1 = 0.6


def ready(make_job: Make, path: Path, frame: pl.DataFrame, **more: Any) -> dict[str, Any]:
    frame.write_delta(str(path))
    data = {"dataset": {"path": str(path), "version": 0}, "target": "marks", "task": "tagging", "seed": 1, **more}
    made = make_job({**data, "fractions": FRACTIONS})
    found = split(made)
    parts = {"file": str(made.out / found["file"]), "sha256": found["sha256"]}
    return {**data, "split": parts, "found": found, "recipe": "linear_tagger", "folds": 2, "params": {}}


def messages(count: int = 240) -> pl.DataFrame:
    texts, marks = marked(count, 4)
    return pl.DataFrame({"id": [f"m{n:03d}" for n in range(count)], "message": texts, "marks": marks})


def test_entities_are_found_from_the_split_to_the_gate(make_job: Make, tmp_path: Path) -> None:
    frame = messages().with_columns(pl.when(pl.col("id") != "m003").then("marks"))  # nobody has looked at one text
    wish = ready(make_job, tmp_path / "d", frame, key="id")
    assert (wish["found"]["texts"], wish["found"]["classes"]) == (["message"], {})
    assert any("of 'thing'" in note and "are marked" in note for note in wish["found"]["notes"])
    good, poor = (
        make_job(wish),
        make_job({**wish, "params": {"max_iterations": 5, "window": 0, "letters": 0, "strength": 0.001}}),
    )
    told, worse = fit(good), fit(poor)
    assert told["metrics"]["cv_f1"] > 0.9
    assert worse["metrics"]["f1"] < told["metrics"]["f1"]
    assert told["package"]["runtime"] == "onnx"
    package = verify_package(good.out / "package")
    replayed = replay_samples(package, load_model(package))
    assert replayed["passed"]
    assert "have other entities" in replayed["evidence"]
    report = json.loads((good.out / "report.json").read_text())
    assert [one["name"] for one in report["curves"]["types"]] == ["place", "thing"]
    assert "oslo" in [one["term"] for one in report["terms"]["place"]]
    outside = pl.read_parquet(good.out / "folds.parquet")
    assert outside.columns == ["row", "fold", "said"]
    assert not outside["said"].str.contains("text").any()  # what people wrote stays in the dataset
    job = make_job({**wish, "package": str(good.out / "package"), "part": "test"})
    found = evaluate(job)
    assert found["interval"]["low"] <= found["metrics"]["f1"] <= found["interval"]["high"]
    assert found["interval"]["metric"] == "f1"
    folders = [str(one.out / "package") for one in (good, poor)]
    passed = metric_gate(make_job({**wish, "package": folders[0], "champion": folders[1]}))
    failed = metric_gate(make_job({**wish, "package": folders[1], "champion": folders[0]}))
    assert (passed["passed"], failed["passed"]) == (True, False)
    assert "F1" in failed["evidence"]


def test_the_same_run_twice_is_the_same_package(make_job: Make, tmp_path: Path) -> None:
    wish = ready(make_job, tmp_path / "d", messages(120).drop("id"))
    first, second = (fit(make_job(wish))["package"]["digest"] for _ in range(2))
    assert first == second


def conll(tags: list[str]) -> set[tuple[str, int, int]]:
    """Count chunks by the rules of the CoNLL-2003 script: a chunk ends before O, before B, and before another type."""
    chunks, kind, begin = set(), None, 0
    for at, tag in enumerate([*tags, "O"]):
        mark, _, name = tag.partition("-")
        ends = kind is not None and (mark in ("O", "B") or name != kind)
        if ends:
            chunks.add((kind, begin, at))
        if mark != "O" and (kind is None or ends):
            begin = at
        kind = None if mark == "O" else name
    return chunks


def sentences(found: list[list[str]]) -> list[str]:
    """Write tags as entities of texts of one-letter words with a space between them."""
    return [
        json.dumps(
            [{"type": kind, "start": 2 * first, "end": 2 * last - 1} for kind, first, last in sorted(conll(tags))]
        )
        for tags in found
    ]


TAGS = st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"]), min_size=1, max_size=8)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(TAGS, st.randoms(use_true_random=False)), min_size=1, max_size=6))
def test_the_figures_are_those_of_the_conll_script(drawn: list[tuple[list[str], Any]]) -> None:
    true = [tags for tags, _ in drawn]
    said = [[rng.choice([tag, tag, "O", "B-a", "I-b"]) for tag in tags] for tags, rng in drawn]
    texts = [" ".join("w" * len(tags)) for tags in true]
    right = sum(len(conll(one) & conll(other)) for one, other in zip(true, said, strict=True))
    own, there = (sum(len(conll(tags)) for tags in some) for some in (said, true))
    scores = span_scores(Sentences.of(texts, sentences(true)), sentences(said))
    precision, recall = right / own if own else 0.0, right / there if there else 0.0
    assert scores["precision"] == pytest.approx(precision)
    assert scores["recall"] == pytest.approx(recall)
    assert scores["f1"] == pytest.approx(2 * precision * recall / (precision + recall) if right else 0.0)
    kinds = [
        [{(k, *p) for k, *p in conll(tags) if k == kind} for tags in some] for some in (true, said) for kind in "ab"
    ]
    by_type = []
    for known, found in ((kinds[0], kinds[2]), (kinds[1], kinds[3])):
        both = sum(len(one & other) for one, other in zip(known, found, strict=True))
        total = sum(map(len, known)) + sum(map(len, found))
        by_type += [2 * both / total] if total else []
    assert scores["macro_f1"] == pytest.approx(sum(by_type) / len(by_type) if by_type else 0.0)


def test_an_interval_holds_the_value_and_a_model_does_not_differ_from_itself() -> None:
    texts, marks = marked(80, 1)
    truth = Sentences.of(texts, marks)
    said = np.array(["[]" if row % 4 == 0 else one for row, one in enumerate(marks)], dtype=object)
    found = f1_interval(truth, said)
    assert found.low < found.value < found.high
    assert (compare_f1(truth, said, said).difference, compare_f1(truth, said, said).p_value) == (0.0, 1.0)
    assert compare_f1(truth, np.array(marks, dtype=object), said).low > 0


def test_it_is_told_how_entities_go_wrong() -> None:
    mark = '{{"type":"{}","start":{},"end":{}}}'.format
    truth = Sentences.of(
        ["a b c d e f"], [f"[{mark('x', 0, 1)},{mark('x', 2, 3)},{mark('y', 4, 7)},{mark('y', 8, 9)}]"]
    )
    said = [f"[{mark('x', 0, 1)},{mark('y', 2, 3)},{mark('y', 4, 5)},{mark('y', 10, 11)}]"]
    assert span_curves(truth, said)["confused"] == {
        "right": 1, "other_type": 1, "other_ends": 1, "missed": 1, "invented": 1
    }  # fmt: skip


def test_the_chain_is_that_of_all_paths() -> None:
    rng, tags = np.random.default_rng(2), tags_for(["a", "b"])
    starts, may = np.array([0, 3, 4, 8]), allowed(tags)
    scores, steps = rng.normal(0, 2, (8, 5)), np.where(may, rng.normal(0, 1, (5, 5)), FORBIDDEN)
    path, likely = best_path(scores, steps, starts)
    for begin, end in pairwise(starts):
        ways = [way for way in product(range(5), repeat=end - begin) if way[-1] == 0]
        totals = np.array([
            sum(scores[begin + at, tag] + steps[(0, *way)[at], tag] for at, tag in enumerate(way)) for way in ways
        ])  # fmt: skip
        assert tuple(path[begin:end]) == ways[totals.argmax()]
        shares = np.exp(totals - totals.max()) / np.exp(totals - totals.max()).sum()
        for at in range(end - begin):
            mine = sum(share for share, way in zip(shares, ways, strict=True) if way[at] == path[begin + at])
            assert likely[begin + at] == pytest.approx(mine)


def test_the_chain_learns_where_its_loss_is_least() -> None:
    rng, tags = np.random.default_rng(3), tags_for(["a"])
    matrix = sparse.csr_matrix(rng.random((40, 4)).round())
    truth = np.where(np.arange(40) % 4 == 1, 1, 0)
    losses: list[float] = []
    rows = Rows(matrix=matrix, truth=truth, starts=np.arange(0, 41, 4))
    learn(
        rows,
        tags,
        strength=1.0,
        iterations=200,
        report=lambda _, loss: losses.append(loss),
    )
    assert min(losses) == losses[-1] < 0.7 * losses[0]


def refused(frame: pl.DataFrame, make_job: Make, tmp_path: Path, **more: Any) -> AimassError:
    with pytest.raises(AimassError) as caught:
        fit(make_job(ready(make_job, tmp_path / "d", frame, **more)))
    return caught.value


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ('{"type": "x"}', "is no list"),
        ("nothing", "is no list"),
        ('[{"type": "x", "start": 0}]', "without type, start and end"),
        ('[{"type": "", "start": 0, "end": 2}]', "no short text"),
        ('[{"type": "x", "start": 2, "end": 2}]', "does not begin before it ends"),
        ('[{"type": "x", "start": true, "end": 2}]', "does not begin before it ends"),
        ('[{"type": "x", "start": 0, "end": 4}, {"type": "y", "start": 3, "end": 5}]', "share characters, at 3"),
        ('[{"type": "x", "start": 0, "end": 99}]', "of the text 'Zoé is here' has an entity that ends at 99"),
        ('[{"type": "x", "start": 0, "end": 4, "text": "Zoé"}]', "says 'Zoé' where 'Zoé ' stands"),
        ('[{"type": "x", "start": 3, "end": 4}]', "of white space"),
    ],
)
def test_marks_that_cannot_be_are_refused_with_their_row(marks: str, said: str) -> None:
    frame = pl.DataFrame({"text": ["Zoé is here"], "marks": [marks]})
    with pytest.raises(Invalid, match=said) as caught:
        check_places(frame["text"].to_list(), entities(frame, "marks"), "marks")
    assert caught.value.hint
    assert caught.value.value


def test_marks_may_be_lists_and_those_inside_a_word_are_told() -> None:
    frame = pl.DataFrame(
        {
            "text": ["unhappy Rome"],
            "marks": [[{"type": "x", "start": 2, "end": 7}, {"type": "x", "start": 8, "end": 12}]],
        }
    )
    found = entities(frame, "marks")
    assert found.to_list() == ['[{"type":"x","start":2,"end":7},{"type":"x","start":8,"end":12}]']
    assert check_places(frame["text"].to_list(), found, "marks")[0].startswith("1 entities begin or end inside a word")


def test_a_target_without_entities_and_a_dataset_without_one_text_are_refused(make_job: Make, tmp_path: Path) -> None:
    rows = messages(60)
    with pytest.raises(Unlearnable, match="no types of entities"):
        entities(rows.with_columns(marks=pl.lit("[]")), "marks")
    with pytest.raises(Unlearnable, match="holds Int64"):
        entities(rows.with_columns(marks=pl.lit(1, dtype=pl.Int64)), "marks")
    none = refused(rows.select("id", "marks"), make_job, tmp_path / "a", key="id")
    assert "there is none" in none.message
    two = rows.with_columns(title=pl.col("message").str.to_uppercase())
    many = refused(two, make_job, tmp_path / "b", key="id")
    assert (many.field, many.value) == ("features", ["message", "title"])
    wish = ready(make_job, tmp_path / "c", two, key="id", features=["message"])
    assert fit(make_job(wish))["metrics"]["f1"] > 0.5
