"""Objects in pictures: figures against pycocotools, what a dataset may say of them, and through the jobs where torch is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import AimassError, Invalid
from aimass.models import Column, Output, Signature, load_model, verify_package
from aimass.models.children.kinds import kind_of
from aimass.models.children.package import replay_samples
from aimass.models.zoo import package_folder, ready_models
from aimass.monitoring.children.boxes import measure_objects
from aimass.serving.console.playground import _pictured
from aimass.training.children.boxing import objects, the_picture_column
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.split import split
from aimass.training.console.charts import charts_of
from aimass.training.errors import Unlearnable
from aimass.training.measures.boxes import ap, ap_interval, box_curves, box_scores, compare_ap
from aimass.training.measures.objects import Scenes, things_of
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract_of_boxes import DetectionContract, drawn
from aimass.training.tasks import TASKS
from aimass.web import picture_of
from aimass.web.bundle import Bundle
from aimass.web.templating import Environments
from tests.fixtures.deep import needs_torch

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
QUICK: dict[str, Any] = {
    "height": 24,
    "filters": 8,
    "halvings": 1,
    "epochs": 10,
    "patience": 10,
    "held_out": 0.3,
    "batch_rows": 8,
    "learning_rate": 0.01,
    "shift": 2,
}
Make = Callable[..., Any]


@needs_torch
class TestTorchDetector(DetectionContract):
    __test__ = True
    recipe = "torch_detector"
    quick: ClassVar = QUICK


class _Points(DetectionContract):
    recipe = "torch_detector"
    quick: ClassVar = {**QUICK, "epochs": 24, "most_objects": 7, "noise": 0.05}
    points: ClassVar = True
    least_ap: ClassVar = 0.4


@needs_torch
def test_a_detector_finds_key_points_and_its_package_too(tmp_path: Path) -> None:
    _Points().test_its_package_of_numbers_alone_answers_like_the_model(tmp_path)
    _Points().test_it_finds_objects()


def scenes(count: int = 60, seed: int = 11) -> tuple[list[str], list[str]]:
    """Make up what is in pictures, and what somebody says is: near it, twice, of another label, or where nothing is."""
    rng = np.random.default_rng(seed)
    found = [_scene(rng) for _ in range(count)]
    return [json.dumps(things) for things, _ in found], [json.dumps(said) for _, said in found]


def _scene(rng: np.random.Generator) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    things, said = [], []
    for _ in range(rng.integers(0, 5)):
        w, h = (int(one) for one in rng.integers(6, 30, 2))
        x, y = int(rng.integers(0, 64 - w)), int(rng.integers(0, 64 - h))
        one = {"label": str(rng.choice(["cat", "dog", "owl"])), "x": x, "y": y, "width": w, "height": h}
        middle = None if rng.random() < 0.3 else [x + w, y + h]
        things.append(one | {"keypoints": [[x, y], middle, [x + w // 2, y]]})
    for one in things:
        for _ in range(rng.integers(0, 3)):
            off = rng.normal(0, 1.5, 4).round(1)
            label = one["label"] if rng.random() < 0.85 else "owl"
            box = {"x": max(0, round(one["x"] + off[0], 1)), "y": max(0, round(one["y"] + off[1], 1))}
            box |= {"width": round(one["width"] + off[2], 1), "height": round(one["height"] + off[3], 1)}
            box |= {"label": label, "score": round(float(rng.random()), 4)}
            points = [
                [round(at[0] + float(rng.normal(0, 1.5)), 1), round(at[1] + float(rng.normal(0, 1.5)), 1)]
                if at
                else [1, 1]
                for at in one["keypoints"]
            ]
            said.append(box | {"keypoints": points})
    if rng.random() < 0.4:
        one = {"label": "dog", "x": 3, "y": 4, "width": 9.5, "height": 8, "score": round(float(rng.random()), 4)}
        said.append(one | {"keypoints": [[3, 4], [5, 6], [7, 8]]})
    return things, said


def test_the_figures_are_those_of_pycocotools() -> None:
    """Of pycocotools 2.0.11 on the same boxes: all areas, 100 detections; key points with a sigma of 0.05 each."""
    marks, answers = scenes()
    found = box_scores(Scenes.of(marks), answers)
    expected = {
        "ap": 0.14649528303588172,
        "ap_50": 0.35919176476316367,
        "ap_75": 0.11155718333146682,
        "ar": 0.2744708994708995,
        "ap_points": 0.05289416747241937,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    by_label = {one["name"]: one["ap"] for one in box_curves(Scenes.of(marks), answers)["labels"]}
    assert by_label == pytest.approx(
        {"cat": 0.14403420686028048, "dog": 0.07855816416429447, "owl": 0.2168934780830702}
    )


def test_what_is_told_is_counted_by_hand() -> None:
    """Three cats and a dog: one cat found, one badly, one called a dog, the dog missed; and a cat where nothing is."""
    at = [("cat", 0, 0), ("cat", 20, 0), ("cat", 40, 0), ("dog", 0, 40)]
    truth = json.dumps(
        [{"label": n, "x": x, "y": y, "width": 10, "height": 10, "keypoints": [[x, y]]} for n, x, y in at]
    )
    said = [("cat", 1, 0, 0.9), ("cat", 24, 0, 0.8), ("dog", 40, 0, 0.7), ("cat", 60, 60, 0.6), ("dog", 0, 40, 0.4)]
    answer = json.dumps(
        [
            {"label": n, "x": x, "y": y, "width": 10, "height": 10, "score": s, "keypoints": [[x, y + 1]]}
            for n, x, y, s in said
        ]
    )
    found = box_scores(Scenes.of([truth]), [answer])
    assert (found["precision"], found["recall"], found["f1"]) == (0.25, 0.25, 0.25)
    assert (found["objects"], found["found"]) == (4, 4)
    assert found["pck"] == 0  # the square root of 2 is more than a tenth of 10
    went = box_curves(Scenes.of([truth]), [answer])["went"]
    assert went == {"right": 1, "other_label": 1, "far_off": 1, "missed": 1, "invented": 1}
    near = Scenes.of([truth.replace("[[0, 0]]", "[[1, 0.5]]")])
    assert box_scores(near, [answer])["pck"] == 1


BOX = st.fixed_dictionaries(
    {
        "label": st.sampled_from(["a", "b"]),
        "x": st.integers(0, 40),
        "y": st.integers(0, 40),
        "width": st.integers(1, 20),
        "height": st.integers(1, 20),
    }
)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(BOX, max_size=4), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_whoever_says_what_is_true_is_right_and_order_does_not_matter(pictures: list[Any], chance: Any) -> None:
    truth = Scenes.of([json.dumps(some) for some in pictures])
    said = [[one | {"score": round(0.5 + chance.random() / 2, 6)} for one in some] for some in pictures]
    answers = [json.dumps(some) for some in said]
    found = box_scores(truth, answers)
    whole = 1.0 if truth.labels() else 0.0
    assert (found["ap"], found["ar"], found["f1"]) == pytest.approx((whole, whole, whole))
    for some in said:
        chance.shuffle(some)
    assert ap(truth, [json.dumps(some) for some in said]) == pytest.approx(found["ap"])
    half = ap(truth, [*answers[: len(answers) // 2], *["[]"] * (len(answers) - len(answers) // 2)])
    assert 0 <= half <= found["ap"] + 1e-12
    doubled = [json.dumps([*some, *({**one, "score": 0.01} for one in some)]) for some in said]
    assert ap(truth, doubled) == pytest.approx(found["ap"])  # what comes last takes nothing away


def test_intervals_and_comparisons_draw_pictures() -> None:
    marks, answers = scenes()
    truth, better = Scenes.of(marks), np.array([mark.replace("}", ', "score": 0.8}') for mark in marks], dtype=object)
    found = ap_interval(truth, answers, seed=1)
    assert found.low < found.value < found.high
    assert found.value == ap(truth, answers)
    compared = compare_ap(truth, better, answers, seed=1)
    assert compared.candidate == pytest.approx(1)
    assert 0 < compared.low <= compared.difference <= compared.high
    same = compare_ap(truth, answers, answers)
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)


def frame_of(*cells: Any) -> pl.DataFrame:
    return pl.DataFrame({"boxes": list(cells)})


def test_objects_may_be_structs_or_json_with_points_of_two_or_three_numbers() -> None:
    box = {"label": "a", "x": 1, "y": 2.5, "width": 3, "height": 4}
    forms = [[5, 6, 2, 0, 0, 0, 7, 8, 1], [[5, 6], None, [7, 8]], [[5, 6, 2], [0, 0, 0], [7, 8, 1]]]
    found = {objects(frame_of(json.dumps([{**box, "keypoints": one}])), "boxes")[0] for one in forms}
    assert found == {'[{"label":"a","x":1.0,"y":2.5,"width":3.0,"height":4.0,"keypoints":[[5.0,6.0],null,[7.0,8.0]]}]'}
    structs = pl.DataFrame({"boxes": [[{**box, "x": 1.0, "keypoints": [5.0, 6.0, 7.0, 8.0]}], [], None]})
    told = objects(structs, "boxes").to_list()
    assert [None if one is None else [thing.points for thing in things_of(one)] for one in told] == [
        [((5.0, 6.0), (7.0, 8.0))],
        [],
        None,
    ]
    blind = objects(frame_of(json.dumps([{**box, "keypoints": [1, 2, 3, 4]}, {**box, "label": 7}])), "boxes")[0]
    assert [(one.label, one.points) for one in things_of(blind)] == [("a", ((1, 2), (3, 4))), ("7", (None, None))]


WHOLE = {"label": "a", "x": 1, "y": 2, "width": 3, "height": 4}


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("no list", "is no list"),
        ("[" * 100_000, "is no list"),
        ('{"label": "a"}', "is no list"),
        ("[1]", "without label, x, y, width and height"),
        (json.dumps([{**WHOLE, "width": 0}]), "without width or height"),
        (json.dumps([{**WHOLE, "height": -4}]), "without width or height"),
        (json.dumps([{**WHOLE, "x": -1}]), "begins outside its picture"),
        (json.dumps([{**WHOLE, "x": float("nan")}]), "x is nan, which is no number"),
        (json.dumps([{**WHOLE, "y": float("inf")}]), "y is inf, which is no number"),
        (json.dumps([{**WHOLE, "y": True}]), "y is True, which is no number"),
        (json.dumps([{**WHOLE, "y": 10**400}]), "which is no number"),
        (json.dumps([{**WHOLE, "width": "3"}]), "width is '3', which is no number"),
        (json.dumps([{**WHOLE, "label": " "}]), "label is no short text"),
        (json.dumps([{**WHOLE, "label": ["a"]}]), "label is no short text"),
        (json.dumps([{**WHOLE, "label": "\ud800"}]), "label is no short text"),
        (json.dumps([{**WHOLE, "keypoints": 4}]), "key points that are no list"),
        (json.dumps([{**WHOLE, "keypoints": [1, "2"]}]), "key points that are no numbers"),
        (json.dumps([{**WHOLE, "keypoints": [[1]]}]), "which is not x and y"),
        (json.dumps([{**WHOLE, "keypoints": [1, 2, 9, 4, 5]}]), "neither pairs of x and y nor triples"),
        (json.dumps([{**WHOLE, "keypoints": [1, 2]}, {**WHOLE, "keypoints": [1, 2, 3, 4]}]), "1 and 2 key points"),
        (json.dumps([WHOLE] * 301), "has 301 objects"),
    ],
)
def test_objects_that_cannot_be_are_refused_with_their_row(cell: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        objects(frame_of("[]", cell), "boxes")
    assert refused.value.field == "target"
    assert len(str(refused.value.value)) <= 120


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["[]", "[]"], "names no labels"),
        ([json.dumps([{**WHOLE, "label": str(n)} for n in range(101)])], "names 101 labels"),
        ([1.5], "holds Float64, and no objects"),
        ([["a", "b"]], "and no objects|lists of labels"),
    ],
)
def test_columns_of_something_else_are_refused(cells: list[Any], said: str) -> None:
    with pytest.raises(Unlearnable, match=said):
        objects(frame_of(*cells), "boxes")


def test_one_column_of_lists_is_the_pictures() -> None:
    rows = pl.DataFrame({"a": [[1, 2]], "b": [[1.0, 2.0]], "c": ["x"], "boxes": ["[]"]})
    with pytest.raises(Invalid, match="2 may be it"):
        the_picture_column(rows, ["boxes"])
    with pytest.raises(Invalid, match="none may be it"):
        the_picture_column(rows.select("c", "boxes"), ["boxes"])
    assert the_picture_column(rows, ["boxes"], ["b"]) == "b"
    with pytest.raises(Unlearnable, match="all must hold equally many"):
        the_picture_column(pl.DataFrame({"a": [[1, 2], [1]]}), [])


def pictures(count: int = 90, *, points: bool = False) -> pl.DataFrame:
    found, marks = drawn(count, 4, points=points)
    names = [f"p{n:03d}" for n in range(count)]
    return pl.DataFrame({"id": names, "picture": found.tolist(), "boxes": marks})


def ready(make_job: Make, path: Path, frame: pl.DataFrame, **more: Any) -> dict[str, Any]:
    frame.write_delta(str(path))
    data = {"dataset": {"path": str(path), "version": 0}, "target": "boxes", "task": "detection", "seed": 1, **more}
    made = make_job({**data, "fractions": FRACTIONS})
    found = split(made)
    parts = {"file": str(made.out / found["file"]), "sha256": found["sha256"]}
    return {
        **data,
        "split": parts,
        "found": found,
        "recipe": "torch_detector",
        "folds": 2,
        "params": {**QUICK, "epochs": 24},
    }


def test_a_split_tells_what_is_in_the_pictures(make_job: Make, tmp_path: Path) -> None:
    frame = pictures().with_columns(pl.when(pl.col("id") != "p003").then("boxes"))  # nobody has looked at one picture
    found = ready(make_job, tmp_path / "d", frame, key="id")["found"]
    assert (found["lists"], found["texts"], found["classes"]) == ({"picture": 768}, [], {})
    assert sum(found["counts"].values()) == 90
    assert any("of '横条'" in note and "are marked" in note for note in found["notes"])
    with pytest.raises(AimassError, match="holds no object"):
        few = (
            pictures(12)
            .with_columns(boxes=pl.lit("[]"))
            .with_columns(boxes=pl.when(pl.col("id") == "p000").then(pl.lit(json.dumps([WHOLE]))).otherwise("boxes"))
        )
        ready(make_job, tmp_path / "few", few, key="id")


SIGNATURE = Signature(
    inputs=(Column(name="picture", type="float", shape=(-1, 4)),),
    outputs=(Output(name="objects", type="string", shape=(-1,)),),
)


def test_answers_are_compared_by_what_is_where() -> None:
    kind = kind_of(SIGNATURE)
    assert kind.name == "objects"
    one, other = ({**WHOLE, "label": name, "score": score} for name, score in (("a", 0.9), ("b", 0.05)))
    moved = {**one, "x": 1.1, "score": 0.899}

    def compared(said: list[Any], expected: list[Any] | None = None) -> Any:
        return kind.compare(SIGNATURE, [json.dumps(expected or [one, other])], {"objects": [json.dumps(said)]}, None)

    assert compared([other, moved]).passed
    assert compared([one]).passed  # the least sure may be told, or just not
    assert not compared([other]).passed
    assert not compared([{**one, "x": 1.3}, other]).passed
    assert not compared([{**one, "label": "b"}, other]).passed
    assert not compared([one, one, other]).passed
    assert kind.compare(SIGNATURE, ["[]"], {"objects": ["no list"]}, None).labels_differ == 1
    assert "1 have other objects" in compared([other]).sentence()


def test_the_ready_model_finds_shapes_and_their_corners_without_torch() -> None:
    """A bright square on grey; nothing on plain grey; whatever comes, what is told is a list of objects inside the picture."""
    ready, package = ready_models()["shapes"], verify_package(package_folder("shapes"))
    assert package.size < 1_000_000
    assert ready.metrics["test_ap_50"] > 0.9
    model = load_model(package)
    grey, square = np.full((32, 32), 0.4), np.full((32, 32), 0.4)
    square[8:18, 16:26] = 0.7
    odd = [np.full((32, 32), value) for value in (-1e30, 1e30, 0.0)]
    told = model.predict({"picture": [one.ravel().tolist() for one in (grey, square, *odd)]})["objects"]
    sure = [[one for one in things_of(written) if one.score >= 0.5] for written in told]
    assert sure[0] == []
    (found,) = sure[1]
    assert found.label == "square"
    assert (found.x, found.y, found.width, found.height) == pytest.approx((16, 8, 10, 10), abs=2)
    assert found.points[2] == pytest.approx((26, 18), abs=3)
    assert all(0 <= one.x <= 32 and one.x + one.width <= 32.01 for written in told for one in things_of(written))


def test_a_page_shows_figures_labels_and_boxes() -> None:
    marks, answers = scenes()
    truth = Scenes.of(marks)
    report = {"curves": json.loads(json.dumps(box_curves(truth, answers)))}
    shown = {"task": TASKS["detection"], "metrics": box_scores(truth, answers), "charts": charts_of(report)}
    folder = Path(fit.__code__.co_filename).parents[1]
    pages = Environments({"training": folder}, Bundle(), SystemClock())["en"]
    page = '{% import "training/evaluations/detection.html" as part %}{{ part.figures(shown) }}{{ part.charts(shown) }}'
    text = pages.from_string(page).render(shown=shown)
    assert "mAP@50" in text
    assert '<td class="name">owl</td>' in text
    assert "How objects went" in text
    pixels = [0.5] * 48
    picture = picture_of(pixels, '[{"label":"<b>","x":1,"y":1,"width":2,"height":2,"score":0.9,"keypoints":[[1,2],null]},'
        '{"label":"c","x":1,"y":1,"width":2,"height":2,"score":0.2}]', "[]", {"height": 4, "width": 12})  # fmt: skip
    drawing = str(pages.from_string("{{ ui.pictured(picture) }}").render(picture=picture))
    assert 'viewBox="0 0 12 4"' in drawing
    assert drawing.count("box-found") == drawing.count("box-point") == 1
    assert "<b>" not in drawing
    tried = _pictured({"picture": pixels}, {"objects": "[]"})
    assert tried is not None
    assert tried.found == []
    for odd in ([], ["a"], [float("nan")] * 4, "text", None, [1.0] * 5):
        assert picture_of(odd, "[]") is None
    for said in ("no", None, "[1]", '[{"label":"a","x":"1","y":1,"width":1,"height":1}]', "[" * 100_000):
        assert picture_of(pixels, said) is None


def test_live_quality_counts_what_is_said_with_half_or_more() -> None:
    box = '{"label":"%s","x":0,"y":0,"width":%s,"height":10,"score":%s}'
    pairs = [
        ("a", 10, 0.9, "a"),
        ("a", 10, 0.4, "a"),
        ("a", 10, 0.9, "b"),
        ("a", 10, "1e999", "a"),
        ("a", "null", 1, "a"),
    ]
    rows = [(f"[{box % (one, w, score)}]", f"[{box % (other, 9, 1)}]") for one, w, score, other in pairs]
    found = measure_objects(pl.DataFrame([*rows, ("[]", "yes"), ("[]", "[]")], schema=["said", "became"], orient="row"))
    assert (found["f1"]["value"], found["f1"]["count"]) == (pytest.approx(2 / 5), 4)
    assert found["f1"]["low"] <= 0.4 <= found["f1"]["high"]
    assert measure_objects(pl.DataFrame({"said": ["[]"], "became": ["?"]})) == {}


@needs_torch
def test_objects_are_found_from_the_split_to_the_gate(make_job: Make, tmp_path: Path) -> None:
    wish = ready(make_job, tmp_path / "d", pictures(points=True), key="id")
    assert "objects have 2 key points" in wish["found"]["notes"]
    good, poor = make_job(wish), make_job({**wish, "params": {**QUICK, "epochs": 1}})
    told, worse = fit(good), fit(poor)
    assert told["metrics"]["cv_ap"] > 0.4
    assert worse["metrics"]["ap"] < told["metrics"]["ap"]
    assert told["package"]["runtime"] == "onnx"
    package = verify_package(good.out / "package")
    replayed = replay_samples(package, load_model(package))
    assert replayed["passed"]
    assert "have other objects" in replayed["evidence"]
    report = json.loads((good.out / "report.json").read_text())
    assert len(report["curves"]["labels"]) == 2
    outside = pl.read_parquet(good.out / "folds.parquet")
    assert outside.columns == ["row", "fold", "said"]
    job = make_job({**wish, "package": str(good.out / "package"), "part": "test"})
    found = evaluate(job)
    assert found["interval"]["low"] <= found["metrics"]["ap"] <= found["interval"]["high"]
    folders = [str(one.out / "package") for one in (good, poor)]
    passed = metric_gate(make_job({**wish, "package": folders[0], "champion": folders[1]}))
    failed = metric_gate(make_job({**wish, "package": folders[1], "champion": folders[0]}))
    assert (passed["passed"], failed["passed"]) == (True, False)
    assert "mAP" in failed["evidence"]


@needs_torch
def test_what_a_net_cannot_learn_is_refused() -> None:
    case = _Points()
    for changes, said in (
        ({"height": 32}, "reaches out of its picture of 24 x 32 pixels"),
        ({"flip": True}, "key points are not mirrored"),
        ({"halvings": 4}, "too small to be halved 4 times"),
    ):
        bench = case.bench(**changes)
        with pytest.raises(Invalid, match=said):
            load_recipe("torch_detector").fit(bench)
