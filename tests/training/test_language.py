"""Language models and summaries: through the jobs, chances and overlaps against the definitions, refusals of parameters and files."""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import AimassError, Invalid
from aimass.models import (
    Counted,
    Pieces,
    load_model,
    rouge_l,
    rouge_n,
    sentences_of,
    verify_package,
    words_of,
    write_package,
)
from aimass.models.children.package import replay_samples
from aimass.models.runtimes import check_file
from aimass.models.runtimes.language.going_on import Voice, Wish, drawn, go_on
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.split import split
from aimass.training.errors import Unlearnable
from aimass.training.measures.language import Passages, compare_language, language_interval, language_scores
from aimass.training.measures.summaries import References, summary_curves, summary_scores
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import Bench
from aimass.training.recipes.deep import loop
from aimass.training.recipes.languages.bytepairs import END, learn_pairs
from aimass.training.recipes.languages.contract import LanguageContract, SummaryContract, told
from aimass.training.recipes.ngram_language.counting import tables_of
from tests.fixtures.deep import needs_torch

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
BARS = 15  # that a chart shows
QUICK: dict[str, Any] = {"vocabulary": 300, "dimensions": 4}
Make = Callable[..., Any]


class TestNgramLanguage(LanguageContract):
    __test__ = True
    recipe = "ngram_language"
    quick: ClassVar = {"vocabulary": 300, "dimensions": 8}


class Stopped(Bench):
    """A fit that is killed when its fourth epoch is over."""

    def report(self, step: int, total: int, **metrics: float) -> None:
        del total, metrics
        if step == 4:
            raise KeyboardInterrupt


@needs_torch
class TestTorchLanguage(LanguageContract):
    __test__ = True
    recipe = "torch_language"
    most_bits = 3.0
    quick: ClassVar = {
        "vocabulary": 300, "context": 32, "layers": 1, "width": 16, "heads": 2, "epochs": 6, "learning_rate": 0.02,
        "batch_rows": 32, "dropout": 0.0,
    }  # fmt: skip

    def test_a_killed_fit_goes_on_where_it_was(self) -> None:
        recipe, whole = load_recipe(self.recipe), self.bench()
        wanted = recipe.predict(whole, recipe.fit(whole), whole.data("validation").features)
        again = self.bench()
        first = Stopped(task=again.task, params=again.params, signature=again.signature, tables=again.tables)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "SAVED_EVERY_S", 0.0)
            with pytest.raises(KeyboardInterrupt):
                recipe.fit(first)
        again.saved = dict(first.saved)
        assert again.saved
        assert np.array_equal(wanted, recipe.predict(again, recipe.fit(again), again.data("validation").features))


class TestSentenceSummary(SummaryContract):
    __test__ = True
    recipe = "sentence_summary"


def ready(make_job: Make, path: Path, frame: pl.DataFrame, **more: Any) -> dict[str, Any]:
    frame.write_delta(str(path))
    data = {"dataset": {"path": str(path), "version": 0}, "seed": 1, **more}
    made = make_job({**data, "fractions": FRACTIONS})
    found = split(made)
    parts = {"file": str(made.out / found["file"]), "sha256": found["sha256"]}
    return {**data, "split": parts, "found": found, "folds": 2}


def judged(make_job: Make, wish: dict[str, Any], *params: dict[str, Any]) -> list[dict[str, Any]]:
    """Fit with each parameters, and gate each against the first."""
    runs = [make_job({**wish, "params": one}) for one in params]
    told = [fit(run) for run in runs]
    folders = [str(run.out / "package") for run in runs]
    gates = [metric_gate(make_job({**wish, "package": one, "champion": folders[0]})) for one in folders]
    return [{**one, "folder": folder, "gate": gate} for one, folder, gate in zip(told, folders, gates, strict=True)]


def test_a_language_model_goes_from_the_split_to_the_gate(make_job: Make, tmp_path: Path) -> None:
    texts = [*dict.fromkeys(told(150, 4)[0]), None, " \n"]
    frame = pl.DataFrame({"id": [f"t{n:03d}" for n in range(len(texts))], "message": texts})
    wish = ready(make_job, tmp_path / "d", frame, key="id", target="", task="language", recipe="ngram_language")
    found = wish["found"]
    assert (found["texts"], found["classes"], found["counts"]["none"]) == (["message"], {}, 2)
    assert found["notes"] == ["2 rows left out: they have no text"]
    good, same, poor = judged(make_job, wish, QUICK, QUICK, {**QUICK, "vocabulary": 257, "order": 2})
    assert good["package"]["digest"] == same["package"]["digest"]
    assert good["metrics"]["cv_bits_per_byte"] < 1.5 < poor["metrics"]["bits_per_byte"]
    assert (same["gate"]["passed"], poor["gate"]["passed"]) == (True, False)
    assert "Bits per byte" in poor["gate"]["evidence"]
    folder = Path(good["folder"])
    package = verify_package(folder)
    assert package.manifest.signature.streams
    assert replay_samples(package, load_model(package))["passed"]
    outside = pl.read_parquet(folder.parent / "folds.parquet")
    assert outside.columns == ["row", "fold", "p0", "p1"]  # bits and pieces, and nothing that people wrote
    report = json.loads((folder.parent / "report.json").read_text())
    surprise = report["curves"]["surprise"]["counts"]
    assert sum(surprise[:BARS]) == found["counts"]["validation"], "the chart shows every text"
    assert texts[0] not in json.dumps(report)
    tested = evaluate(make_job({**wish, "package": str(folder), "part": "test"}))
    assert tested["interval"]["low"] <= tested["metrics"]["bits_per_byte"] <= tested["interval"]["high"]


def test_summaries_go_from_the_split_to_the_gate(make_job: Make, tmp_path: Path) -> None:
    texts, summaries = told(120, 4)
    frame = pl.DataFrame({"story": texts, "told": summaries}).unique("story", maintain_order=True)
    wish = ready(make_job, tmp_path / "d", frame, target="told", task="summary", recipe="sentence_summary")
    assert (wish["found"]["texts"], wish["found"]["classes"]) == (["story"], {})
    good, poor = judged(make_job, wish, {"sentences": 1}, {"sentences": 4})
    assert good["metrics"]["cv_rouge_l"] > poor["metrics"]["rouge_l"] + 0.2
    assert (good["gate"]["passed"], poor["gate"]["passed"]) == (True, False)
    package = verify_package(Path(good["folder"]))
    assert replay_samples(package, load_model(package))["passed"]
    outside = pl.read_parquet(Path(good["folder"]).parent / "folds.parquet")
    assert outside.columns == ["row", "fold", "p0"]
    report = json.loads((Path(good["folder"]).parent / "report.json").read_text())
    assert [one["name"] for one in report["curves"]["measures"]] == ["ROUGE-1", "ROUGE-2", "ROUGE-L"]


@pytest.mark.parametrize(
    ("asked", "rows", "why"),
    [
        (("language", "", "ngram_language"), {"count": [1.5, 2.5, 3.5, 4.5, 5.5]}, "a column of texts, and there is none"),
        (("language", "other", "ngram_language"), {"text": list("abcde"), "other": list("abcde")}, "from texts alone"),
        (("summary", "other", "sentence_summary"), {"text": list("abcde"), "other": [1, 2, 3, 4, 5]}, "no summaries"),
        (("summary", "other", "sentence_summary"), {"text": list("abcde"), "other": [" "] * 5}, "holds no summary"),
    ],
)  # fmt: skip
def test_what_holds_no_texts_is_refused(
    make_job: Make, tmp_path: Path, asked: tuple[str, str, str], rows: Any, why: str
) -> None:
    (task, target, recipe), frame = asked, pl.DataFrame(rows)
    with pytest.raises(AimassError, match=why):
        ready(make_job, tmp_path / "d", frame, task=task, target=target, recipe=recipe)


def test_texts_of_one_sentence_leave_nothing_to_choose(make_job: Make, tmp_path: Path) -> None:
    frame = pl.DataFrame({"story": [f"lamp {n} was sold" for n in range(40)], "told": ["a lamp"] * 40})
    wish = ready(make_job, tmp_path / "d", frame, target="told", task="summary", recipe="sentence_summary")
    with pytest.raises(Unlearnable, match="nothing to choose"):
        fit(make_job({**wish, "params": {}}))


def plain(texts: list[list[int]], size: int, order: int) -> Callable[[tuple[int, ...], int], float]:
    """Return interpolated Kneser-Ney, written from its definition: sums over all words, one dictionary a length."""
    rows = [(END, *one, END) for one in texts]
    raw: dict[int, dict[tuple[int, ...], int]] = {k: defaultdict(int) for k in range(1, order + 1)}
    for row in rows:
        for k in range(1, order + 1):
            for at in range(len(row) - k + 1):
                raw[k][row[at : at + k]] += 1
    counts: dict[int, dict[tuple[int, ...], int]] = {order: raw[order]}
    for k in range(1, order):
        before: dict[tuple[int, ...], set[int]] = defaultdict(set)
        for gram in raw[k + 1]:
            before[gram[1:]].add(gram[0])
        counts[k] = {gram: len(some) for gram, some in before.items()}
        if k > 1:
            counts[k] |= {gram: count for gram, count in raw[k].items() if gram[0] == END}

    def discount(k: int) -> float:
        once, twice = (sum(1 for count in counts[k].values() if count == n) for n in (1, 2))
        return once / (once + 2 * twice) if once and twice else 0.5

    def chance(context: tuple[int, ...], word: int) -> float:
        k = len(context) + 1
        less = chance(context[1:], word) if context else 1 / size
        own = {gram[-1]: count for gram, count in counts[k].items() if gram[:-1] == context}
        if not own:
            return less
        taken, total = discount(k), sum(own.values())
        return max(own.get(word, 0) - taken, 0) / total + taken * len(own) / total * less

    return chance


def test_chances_are_those_of_the_definition_and_sum_to_one() -> None:
    texts = ["so it is", "it is so", "is it", "so so", "", "it was so"]
    pieces = Pieces(learn_pairs(texts, 262))
    cut = [pieces.cut(text) for text in texts]
    for order in (2, 3, 4):
        brain, chance = (
            Counted({**tables_of(cut, pieces.size, order), **no_vectors(pieces.size)}),
            plain(cut, pieces.size, order),
        )
        for text in ("so it was", "is", "", "zoo is it so"):
            row = [END, *pieces.cut(text), END]
            wanted = [chance(tuple(row[max(0, at - order + 1) : at]), row[at]) for at in range(1, len(row))]
            assert brain.chances(row[1:-1]) == pytest.approx(wanted, rel=1e-5)
            following = brain.following(row[1:-1])
            assert following.sum() == pytest.approx(1)
            assert following[row[-1]] == pytest.approx(wanted[-1], rel=1e-5)
        assert sum(chance((END,), word) for word in range(pieces.size)) == pytest.approx(1)


def no_vectors(size: int) -> dict[str, Any]:
    return {"idf": np.ones(size, dtype=np.float32), "directions": np.zeros((size, 1), dtype=np.float32)}


def test_dropped_runs_leave_chances_that_sum_to_one() -> None:
    texts = told(60, 3)[0]
    pieces = Pieces(learn_pairs(texts, 300))
    cut = [pieces.cut(text) for text in texts]
    whole, less = (tables_of(cut, pieces.size, 4, least) for least in (1, 3))
    assert len(less["grams_3"]) < 0.7 * len(whole["grams_3"])
    brain = Counted({**less, **no_vectors(pieces.size)})
    row = cut[0][:9]
    each = [brain.chances([*row, piece])[-2] for piece in range(pieces.size) if piece != END]
    assert sum(each) + brain.chances(row)[-1] == pytest.approx(1, abs=1e-5)


def test_pieces_put_together_are_the_text() -> None:
    pieces = Pieces(learn_pairs(told(80, 2)[0], 400))
    assert pieces.size > 300
    for text in (*told(20, 9)[0], "a_b  \n\n c\t1234567 ÄÖ 北京😀", "\x00"):
        assert b"".join(pieces.bytes[one] for one in pieces.cut(text)).decode() == text
        assert all(one != END for one in pieces.cut(text))


def test_figures_are_those_of_a_hand() -> None:
    truth = Passages.of(["abc", "北"])  # 4 bytes and signs, 4 bytes and 2 signs, the ends among them
    scores = language_scores(truth, np.array([[6.0, 2.0], [10.0, 2.0]]))
    assert (scores["bits_per_byte"], scores["bits_per_char"], scores["perplexity"]) == (
        2.0,
        pytest.approx(16 / 6),
        16.0,
    )
    assert scores["gain"] == pytest.approx(1 - 2 / (6 / 8 * 3 + 2 / 8 * 2))  # six bytes once, two ends
    better = compare_language(truth, np.array([[3.0, 2.0], [5.0, 2.0]]), np.array([[6.0, 2.0], [10.0, 2.0]]))
    assert (better.difference, better.candidate) == (-1.0, 1.0)
    assert language_interval(truth, np.array([[6.0, 2.0], [10.0, 2.0]])).value == 2.0


def test_draws_follow_temperature_and_the_likeliest() -> None:
    chances, rng = np.array([0.5, 0.3, 0.15, 0.05]), np.random.default_rng(0)

    def shares(**wish: Any) -> list[float]:
        found = [drawn(chances, Wish(**wish), rng) for _ in range(4000)]
        return [found.count(n) / len(found) for n in range(4)]

    assert shares(temperature=1.0) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    assert shares(temperature=1.0, top_k=2) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    assert shares(temperature=1.0, top_p=0.9) == pytest.approx([0.526, 0.316, 0.158, 0], abs=0.03)
    assert shares(temperature=0.5) == pytest.approx([0.685, 0.247, 0.062, 0.007], abs=0.03)  # squares
    assert shares(temperature=0.0) == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"max_token": 5}, "max_token"), ({"max_tokens": -1}, "max_tokens"), ({"max_tokens": 2049}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"), ({"max_tokens": True}, "max_tokens"), ({"temperature": "hot"}, "temperature"),
        ({"temperature": float("nan")}, "temperature"), ({"temperature": -0.1}, "temperature"), ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"), ({"top_k": -1}, "top_k"), ({"seed": "x"}, "seed"), ({"seed": 2**63}, "seed"),
        ({"stop": ""}, "stop"), ({"stop": [1]}, "stop"), ({"stop": ["x"] * 9}, "stop"), ({"stop": "x" * 101}, "stop"),
        ({"stop": {"x": 1}}, "stop"),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_are_named(parameters: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid, match=field) as told:
        Wish.of(parameters)
    assert told.value.field == f"parameters.{field}"


def test_a_text_ends_before_a_stop_and_with_whole_signs() -> None:
    voice = Voice(("\n\n", "END"))
    said = [voice.say(part) for part in (b"\xe5\x8c", b"\x97 EN", b"E\n", b"x E", b"ND more")]
    assert said == ["", "北 ", "ENE", "\nx ", ""]
    assert voice.is_over
    assert Voice(()).say("é".encode()[:1], is_last=True) == "\ufffd"


def test_too_many_texts_are_not_gone_on_with() -> None:
    class Echo:
        def read(self, pieces: Any) -> tuple[float, Any]:
            return float(len(pieces)), np.ones(1)

        def following(self, pieces: Any) -> Any:
            return np.eye(257)[65 if len(pieces) < 4 else END]

    said = list(go_on(Pieces([]), Echo(), ["", "xxx"], Wish(max_tokens=10)))
    assert ["".join(one[row] for one in said) for row in range(2)] == ["AAAA", "A"]
    assert [len(one) for one in pairwise(said)] == [2] * (len(said) - 1)


def language_files(texts: list[str]) -> dict[str, bytes]:
    from aimass.training.recipes.languages.packing import packed_tables

    pieces = Pieces(learn_pairs(texts, 262))
    tables = {**tables_of([pieces.cut(one) for one in texts], pieces.size, 2), **no_vectors(pieces.size)}
    return {"language.json": json.dumps({"merges": pieces.merges}).encode(), "language.npz": packed_tables(tables)}


@pytest.fixture
def packed(make_job: Make, tmp_path: Path) -> Callable[..., Any]:
    """Return what writes a package of a language model with other files."""
    frame = pl.DataFrame({"message": told(60, 4)[0]})
    wish = ready(make_job, tmp_path / "d", frame, target="", task="language", recipe="ngram_language")
    run = make_job({**wish, "params": QUICK})
    fit(run)
    package = verify_package(run.out / "package")
    whole = {name: (package.folder / name).read_bytes() for name in package.manifest.files}

    def write(**files: bytes | None) -> Any:
        named = {**whole, **{name.replace("__", "."): body for name, body in files.items()}}
        kept = {name: body for name, body in named.items() if body is not None}
        return write_package(
            tmp_path / f"odd{len(list(tmp_path.iterdir()))}", replace(package.manifest, files={}), kept
        )

    return write


def zipped(**arrays: bytes) -> bytes:
    import io

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        for name, body in arrays.items():
            out.writestr(f"{name}.npy", body)
    return stream.getvalue()


def test_files_of_strangers_are_looked_into(packed: Callable[..., Any]) -> None:
    good = packed()
    assert "300 pieces" in check_file(good, "language.json")
    assert "runs of pieces" in check_file(good, "language.npz")
    doubling = json.dumps({"merges": [[65, 65], *([n, n] for n in range(257, 280))]}).encode()
    for why, odd, file in (
        ("too long", packed(language__json=doubling), "language.json"),
        ("none of pieces before it", packed(language__json=b'{"merges": [[1, 300]]}'), "language.json"),
        ("no pairs", packed(language__json=b'{"merges": 5}'), "language.json"),
        ("no tables", packed(language__npz=b"PK\x03\x04 no archive"), "language.npz"),
        ("no tables", packed(language__npz=zipped(base=b"\x93NUMPY")), "language.npz"),
        ("do not fit", packed(language__json=b'{"merges": []}'), "language.npz"),
        ("either", packed(language__npz=None), "language.json"),
        ("none of a language model", packed(extra__json=b"{}"), "extra.json"),
    ):
        with pytest.raises(AimassError, match=why):
            check_file(odd, file)


def test_overlaps_are_those_of_the_definition() -> None:
    """The example of Lin (2004), section 3.1: S1 is as good as S2 in ROUGE-2, and better in ROUGE-L."""
    s1, s2, s3 = "police killed the gunman", "police kill the gunman", "the gunman kill police"
    one, two, three = (words_of(text) for text in (s1, s2, s3))
    assert rouge_l(two, one) == pytest.approx(3 / 4)
    assert rouge_l(three, one) == pytest.approx(2 / 4)
    assert rouge_n(two, one, 2) == rouge_n(three, one, 2) == pytest.approx(1 / 3)
    assert rouge_n(words_of("the the the"), words_of("the cat"), 1) == pytest.approx(2 / 5)  # clipped: one is common
    assert (rouge_n([], one, 1), rouge_l(one, []), rouge_n(["x"], ["x"], 2)) == (0.0, 0.0, 0.0)
    rng = np.random.default_rng(0)
    for _ in range(60):
        left, right = (rng.integers(0, 5, rng.integers(0, 90)).tolist() for _ in range(2))
        assert rouge_l(left, right) == pytest.approx(by_table(left, right))


def by_table(left: list[int], right: list[int]) -> float:
    table = np.zeros((len(left) + 1, len(right) + 1), dtype=int)
    for i, one in enumerate(left, 1):
        for j, other in enumerate(right, 1):
            table[i, j] = table[i - 1, j - 1] + 1 if one == other else max(table[i - 1, j], table[i, j - 1])
    common = int(table[-1, -1])
    return 2 * common / (len(left) + len(right)) if common else 0.0


def test_scores_stand_beside_the_first_sentences() -> None:
    truth = References.of(["Tea was had. The lamp was sold.", "下雨了。灯卖了。"], ["the lamp was sold", "灯卖了"])
    scores = summary_scores(truth, np.array(["The lamp was sold.", "灯卖了。"], dtype=object))
    assert (scores["rouge_l"], scores["rouge_1"], scores["rouge_2"]) == (1.0, 1.0, 1.0)
    assert scores["lead_rouge_l"] == pytest.approx((2 / 7 + 1 / 3) / 2)  # "was" of 3 and 4 words, "了" of 3 and 3 signs
    assert scores["over_lead"] == pytest.approx(1 - scores["lead_rouge_l"])
    curves = summary_curves(truth, ["The lamp was sold.", "灯卖了。"])
    assert curves["chosen"] == [0, 0, 0, 0, 0, 2, 0, 0, 0, 0]
    assert sum(curves["overlap"]["counts"][:BARS]) == len(truth)


def test_sentences_end_where_people_end_them() -> None:
    assert sentences_of('Mr. J. Doe saw 3.5 metres of it, e.g. here. "Why?" he said!\n- a list\n- of two') == [
        "Mr. J. Doe saw 3.5 metres of it, e.g. here.", '"Why?"', "he said!", "- a list", "- of two",
    ]  # fmt: skip
    assert sentences_of("“我们不去！”他说。好吗？…") == ["“我们不去！”", "他说。", "好吗？"]
    assert sentences_of(" ... !!! \n") == []
