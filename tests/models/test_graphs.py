"""Graphs: composed from approved versions, reviewed and answered like any other version."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.cluster import Jobs
from aimass.kernel.errors import AimassError
from aimass.kernel.principal import SYSTEM, Principal
from aimass.models import (
    BrokenPackage,
    Column,
    Decide,
    Models,
    ModelVersion,
    OneVersion,
    Output,
    Package,
    Signature,
    is_of_sets,
    load_model,
    read_package,
    write_package,
)
from aimass.models.children.review import review
from aimass.models.domain import ComposeModel
from aimass.models.runtimes import check_file
from aimass.models.runtimes.graph.combine import vote
from aimass.models.runtimes.graph.declared import parse_graph
from aimass.models.runtimes.graph.homes import home_of
from aimass.models.runtimes.graph.wiring import plan_of
from tests.fixtures.code import TWICE, code_package
from tests.fixtures.packages import approved, packages, registered
from tests.fixtures.rooms import Rooms

MEAN = {"steps": {"a": {"model": "one@1"}, "b": {"model": "two@1"}, "both": {"mean": ["a", "b"], "weights": [3, 1]}}}
ROWS = {"c0": ["basic", "plus", "basic"], "c1": [48.0, 60.0, 30.0]}


@pytest.fixture
def steps(rooms: Rooms, ann: Principal, tmp_path: Path) -> Models:
    for name in ("one", "two", "python"):
        approved(rooms, ann, name, packages()[name], workspace="auto")
    approved(rooms, ann, "doubler", code_package(tmp_path / "doubler").folder, workspace="auto")
    return rooms.get(Models)


@pytest.fixture
def ann() -> Principal:
    from tests.fixtures.rooms import person

    return person("Ann", "models.read", "models.edit", "models.manage", "models.approve", workspace="auto")


def composed(rooms: Rooms, who: Principal, graph: dict[str, Any], name: str = "whole", **more: Any) -> ModelVersion:
    """Compose, and wait until the review has decided."""
    models = rooms.get(Models)
    job = models.compose(who, ComposeModel(workspace="auto", model=name, graph=graph, **more))

    def decided() -> ModelVersion | None:
        now = rooms.get(Jobs).job("auto", job.id)
        assert now.state not in ("FAILED", "CANCELLED"), now.error
        if now.state != "SUCCEEDED":
            return None
        version = models.version("auto", name, 1)
        return version if version.review not in (None, "SCANNING", "SUBMITTED") else None

    return rooms.until(decided)


def predicted(models: Models, version: ModelVersion, rows: dict[str, Any]) -> dict[str, Any]:
    package = read_package(models.materialise(version))
    return {name: np.asarray(values) for name, values in load_model(package).predict(rows).items()}


def alone(name: str, rows: dict[str, Any]) -> dict[str, Any]:
    return dict(load_model(read_package(packages()[name])).predict(rows))


def test_a_mean_is_composed_reviewed_and_answers_as_its_steps_do(rooms: Rooms, steps: Models, ann: Principal) -> None:
    version = composed(rooms, ann, MEAN)
    found = steps.get_review(ann, OneVersion(workspace="auto", model="whole", number=1))
    assert version.review == "APPROVED", found.checks
    assert {check.name for check in found.checks} == {"manifest", "format", "smoke", "parity", "steps"}
    assert [(step.step, step.model, step.number) for step in version.facts.steps] == [("a", "one", 1), ("b", "two", 1)]
    got = predicted(steps, version, ROWS)
    wanted = 0.75 * alone("one", ROWS)["probabilities"] + 0.25 * alone("two", ROWS)["probabilities"]
    assert got["probabilities"] == pytest.approx(wanted, abs=1e-6)
    assert got["label"].tolist() == np.array(["No", "Yes"])[wanted.argmax(axis=1)].tolist()


def test_a_switch_sends_each_row_through_its_branch_alone_and_keeps_the_order(
    rooms: Rooms, steps: Models, ann: Principal
) -> None:
    graph = {
        "inputs": {"country": {"type": "string"}},
        "steps": {
            "home": {"model": "one@1"},
            "abroad": {"model": "python@1"},
            "route": {
                "switch": "input.country",
                "cases": [{"in": ["DE", "AT"], "then": "home"}],
                "otherwise": "abroad",
            },
        },
    }
    version = composed(rooms, ann, graph)
    assert version.review == "APPROVED"
    rows = {**ROWS, "country": ["FR", "DE", None]}
    got = predicted(steps, version, rows)["probabilities"]
    home, abroad = alone("one", ROWS)["probabilities"], alone("python", ROWS)["probabilities"]
    assert got == pytest.approx(np.stack([abroad[0], home[1], abroad[2]]), abs=1e-6)


def test_code_prepares_what_a_model_takes(rooms: Rooms, steps: Models, ann: Principal) -> None:
    graph = {
        "steps": {
            "before": {"model": "doubler@1", "inputs": {"text": "input.c0", "number": "input.c1"}},
            "model": {"model": "one@1", "inputs": {"c1": "before.twice", "c0": "input.c0"}},
        },
        "outputs": {"share": "model.probabilities", "answer": "model.label", "said": "before.said"},
    }
    version = composed(rooms, ann, graph)
    assert version.review == "APPROVED"
    assert [column.name for column in version.signature.inputs] == ["c0", "c1"]
    assert [output.name for output in version.signature.outputs] == ["share", "answer", "said"]
    got = predicted(steps, version, ROWS)
    wanted = alone("one", {**ROWS, "c1": [2 * value for value in ROWS["c1"]]})
    assert got["answer"].tolist() == np.asarray(wanted["label"]).tolist()
    assert got["said"].tolist() == ["basic!", "plus!", "basic!"]


def test_an_alias_is_pinned_and_a_version_that_is_not_approved_is_refused(
    rooms: Rooms, steps: Models, ann: Principal
) -> None:
    registered(steps, ann, "raw", packages()["three"], workspace="auto")
    with pytest.raises(AimassError, match="is not approved"):
        steps.compose(ann, ComposeModel(workspace="auto", model="w", graph={"steps": {"a": {"model": "raw@1"}}}))
    with pytest.raises(AimassError, match="no alias 'nobody'"):
        steps.compose(ann, ComposeModel(workspace="auto", model="w", graph={"steps": {"a": {"model": "one@nobody"}}}))


def test_a_rejected_step_takes_the_approval_of_its_graph_back(rooms: Rooms, steps: Models, ann: Principal) -> None:
    composed(rooms, ann, MEAN)
    steps.reject(ann, Decide(workspace="auto", model="two", number=1, comment="leaks"))
    name = OneVersion(workspace="auto", model="whole", number=1)
    version, found = steps.get_version(ann, name), steps.get_review(ann, name)
    assert (version.review, found.state) == ("QUARANTINED", "QUARANTINED")
    (check,) = [check for check in found.checks if check.name == "steps"]
    assert "two version 1, whose review is REJECTED" in check.evidence
    with pytest.raises(AimassError, match="whose review is REJECTED|has not passed"):
        steps.approve(SYSTEM, Decide(workspace="auto", model="whole", number=1))


A, B = {"model": "one@1"}, {"model": "two@1"}


@pytest.mark.parametrize(
    ("graph", "field", "said"),
    [
        ({}, "graph.steps", "must be an object"),
        ({"steps": {"A": A}}, "graph.steps", "is not allowed"),
        ({"steps": {"a": {"model": "one"}}}, "graph.steps.a.model", "names no version"),
        ({"steps": {"a": {}}}, "graph.steps.a", "says not what it is"),
        ({"steps": {"a": {**A, "mean": []}}}, "graph.steps.a", "at once"),
        ({"steps": {"a": {**A, "x": 1}}}, "graph.steps.a.x", "not known"),
        ({"steps": {"a": A, "m": {"mean": ["a", "z"]}}}, "graph.steps.m", "no step 'z'"),
        ({"steps": {"a": A, "m": {"mean": ["a"]}}}, "graph.steps.m.mean", "two steps or more"),
        ({"steps": {"a": A, "b": B, "m": {"mean": ["a", "b"], "weights": [1]}}}, "graph.steps.m.weights", "do not fit"),
        ({"steps": {"a": A, "b": B}}, "graph.outputs", "2 steps are at the end"),
        ({"steps": {"a": A, "b": B}, "outputs": {"x": "a.label"}}, "graph.steps.b", "nothing uses step 'b'"),
        ({"steps": {"a": A}, "outputs": {"x": "a.score"}}, "graph.outputs.x", "gives no 'score'"),
        ({"steps": {"a": {**A, "inputs": {"c0": "input.c0"}}}}, "graph.steps.a.inputs.c1", "is not wired"),
        (
            {"steps": {"a": {**A, "inputs": {"c0": "input.c0", "c1": "b.label"}}, "b": B}},
            "graph.steps.a.inputs.c1",
            "takes float",
        ),
        (
            {"steps": {"a": {**A, "inputs": {"c0": "b.label", "c1": "input.c1"}},
                       "b": {**B, "inputs": {"c0": "a.label", "c1": "input.c1"}}}},
            "graph.steps.b",
            "circle: a → b → a",
        ),
        (
            {"steps": {"a": A, "b": B, "s": {"switch": "input.x", "cases": [{"equals": "1", "then": "a"}], "otherwise": "b"}}},
            "graph.steps.s.switch",
            "type is not known",
        ),
        (
            {"steps": {"a": A, "b": B, "s": {"switch": "input.c1", "cases": [{"equals": 1, "then": "a"}], "otherwise": "b"}}},
            "graph.steps.s.cases",
            "knows no test 'equals'",
        ),
        ({"steps": {"a": A}, "inputs": {"x": {"type": "string"}}}, "graph.inputs.x", "no step takes input 'x'"),
    ],
)  # fmt: skip
def test_a_bad_graph_is_refused_with_its_field(
    steps: Models, ann: Principal, graph: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(BrokenPackage, match=said) as caught:
        steps.compose(ann, ComposeModel(workspace="auto", model="w", graph=graph))
    assert caught.value.field == field


def test_an_uploaded_graph_whose_step_was_exchanged_is_refused(
    rooms: Rooms, steps: Models, ann: Principal, make_job: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    folder = copytree(steps.materialise(composed(rooms, ann, MEAN)), tmp_path / "copy")
    whole = read_package(folder)
    assert review(make_job({"package": str(folder), "origin": "upload"}))["passed"]
    files = {name: (folder / name).read_bytes() for name in whole.manifest.files}
    files["steps/a/model.onnx"] = (packages()["three"] / "model.onnx").read_bytes()
    forged = write_package(tmp_path / "forged", replace(whole.manifest, files={}), files)
    with pytest.raises(BrokenPackage, match="is not what its manifest says"):
        check_file(forged, "graph.json")
    checks = {one["name"]: one["passed"] for one in review(make_job({"package": str(forged.folder)}))["checks"]}
    assert checks == {"manifest": True, "format": False}


def test_a_step_that_is_rejected_while_its_graph_is_checked_fails_the_check(
    rooms: Rooms, steps: Models, ann: Principal
) -> None:
    version = composed(rooms, ann, MEAN)
    name = OneVersion(workspace="auto", model="whole", number=1)
    steps.reject(ann, Decide(workspace="auto", model="whole", number=1))
    found = steps.submit_review(ann, name)
    steps.reject(ann, Decide(workspace="auto", model="two", number=1, comment="leaks"))
    passed = [replace(check, passed=True) for check in found.checks if check.name != "steps"]
    found = steps.note_checks(SYSTEM, "auto", found.id, passed)
    assert found.state == "QUARANTINED"
    assert [check.name for check in found.checks if not check.passed] == ["steps"]
    assert steps.version("auto", version.model, 1).review == "QUARANTINED"


def test_what_chooses_several_labels_is_not_combined_but_may_answer_alone() -> None:
    shares = Output(name="probabilities", type="float", shape=(-1, 2), classes=("love", "war"))
    outputs = (shares, Output(name="labels", type="string", shape=(-1, 2)))
    signature = Signature(inputs=(Column(name="year", type="float"),), outputs=outputs)
    both = {"a": {"model": "one@1"}, "b": {"model": "one@1"}, "m": {"mean": ["a", "b"]}}
    with pytest.raises(BrokenPackage, match="step 'a' chooses several labels, which are not combined"):
        plan_of(parse_graph({"steps": both}), {"a": signature, "b": signature})
    alone = plan_of(parse_graph({"steps": {"a": {"model": "one@1"}}}), {"a": signature})
    assert is_of_sets(alone.signature)


# -- what a graph answers, whatever its rows are

SPLIT: dict[str, Any] = {
    "inputs": {"country": {"type": "string"}},
    "steps": {
        "one": {"model": "one@1"},
        "two": {"model": "two@1"},
        "both": {"mean": ["one", "two"]},
        "most": {"vote": ["one", "two", "both"]},
        "large": {"switch": "input.c1", "cases": [{"below": 45, "then": "two"}], "otherwise": "both"},
        "route": {
            "switch": "input.country",
            "cases": [{"in": ["DE", "AT"], "then": "one"}, {"equals": "FR", "then": "large"}],
            "otherwise": "both",
        },
    },
    "outputs": {"label": "route.label", "probabilities": "route.probabilities", "most": "most.label"},
}


def test_rows_are_answered_as_each_would_be_alone_and_in_their_order(
    rooms: Rooms, steps: Models, ann: Principal
) -> None:
    version = composed(rooms, ann, SPLIT)
    assert version.review == "APPROVED"
    model = load_model(read_package(steps.materialise(version)))
    row = st.fixed_dictionaries(
        {
            "country": st.sampled_from(["DE", "AT", "FR", "IT", None]),
            "c0": st.sampled_from(["basic", "plus"]),
            "c1": st.sampled_from([30.0, 44.5, 45.0, 45.5, 60.0]),
        }
    )

    @settings(max_examples=60, deadline=None)
    @given(st.lists(row, min_size=1, max_size=12))
    def same(table: list[dict[str, Any]]) -> None:
        whole = model.predict({name: [one[name] for one in table] for name in ("country", "c0", "c1")})
        for place, one in enumerate(table):
            mine = model.predict({name: [value] for name, value in one.items()})
            for name in ("label", "most"):
                assert np.asarray(whole[name])[place] == np.asarray(mine[name])[0]
            np.testing.assert_allclose(whole["probabilities"][place], mine["probabilities"][0], atol=1e-6)

    same()


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 5).flatmap(lambda width: st.lists(st.tuples(*[st.sampled_from("abc")] * width), min_size=1)))
def test_a_vote_says_what_most_say_and_the_first_of_them_when_they_are_level(votes: list[tuple[str, ...]]) -> None:
    def most(said: tuple[str, ...]) -> str:
        return max(said, key=said.count)  # max keeps the first of several

    assert vote(list(zip(*votes, strict=True)), None).tolist() == [most(said) for said in votes]


# -- what lives in one process must fit into one


def written(folder: Path, module: str, lock: str) -> Package:
    """A package with code like that of ``doubler``, in a module of another name."""
    made = code_package(folder / "before", lock=lock)
    names = {name: name.replace("doubling/", f"{module}/") for name in made.manifest.files}
    files = {new: (made.folder / name).read_bytes() for name, new in names.items()}
    manifest = replace(made.manifest, files={}, entry=f"{module}.model:Doubler")
    return write_package(folder / "after", manifest, files)


def test_steps_that_cannot_live_in_one_process_are_refused(tmp_path: Path) -> None:
    lock = "numpy==2.1.0 --hash=sha256:" + "0" * 64 + "\n"
    found = {
        "first": written(tmp_path / "first", "first", lock),
        "alike": written(tmp_path / "alike", "alike", lock),
        "second": written(tmp_path / "second", "second", lock.replace("2.1.0", "2.1.1")),
        "doubler": code_package(tmp_path / "doubler"),
        "again": code_package(tmp_path / "again", TWICE + "# changed"),
        "onnx": read_package(packages()["one"]),
    }

    def refused(*names: str) -> str:
        with pytest.raises(BrokenPackage) as caught:
            home_of({name: found[name] for name in names})
        return str(caught.value)

    assert home_of({name: found[name] for name in ("first", "alike")}) == "first"
    assert home_of({name: found[name] for name in ("doubler", "onnx")}) is None
    assert "both bring a module 'doubling'" in refused("doubler", "again")
    assert "do not run in the same environment" in refused("first", "second")
    assert "needs onnxruntime" in refused("first", "onnx")


# -- faults


def test_a_composition_that_is_killed_is_done_again_and_registers_one_version(
    rooms: Rooms, steps: Models, ann: Principal
) -> None:
    job = steps.compose(ann, ComposeModel(workspace="auto", model="whole", graph=MEAN))
    jobs = rooms.get(Jobs)

    def working() -> list[psutil.Process]:
        """The processes of the job below its guard."""
        found: dict[int, psutil.Process] = {}
        for one in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if one.status() != psutil.STATUS_ZOMBIE and job.id in " ".join(one.cmdline()):
                    found[one.pid] = one
        with suppress(psutil.NoSuchProcess):
            return [one for one in found.values() if one.ppid() in found]
        return []

    for process in rooms.until(working):
        process.kill()
    rooms.until(lambda: jobs.job("auto", job.id).state in ("SUCCEEDED", "FAILED"))
    done = jobs.job("auto", job.id)
    assert (done.state, done.attempts) == ("SUCCEEDED", 2), done.error
    rooms.until(lambda: steps.version("auto", "whole", 1).review == "APPROVED")
    with pytest.raises(AimassError, match="no version 2"):
        steps.version("auto", "whole", 2)
    assert predicted(steps, steps.version("auto", "whole", 1), ROWS)["label"].shape == (3,)
