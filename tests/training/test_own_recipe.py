"""A recipe of one's own: a file that runs in a sandbox, with the scores measured outside of it."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.cluster import GetJobLog, Jobs
from aimass.infra.compute import Sandbox
from aimass.kernel.errors import Conflict, Failed, Forbidden, Invalid, NotFound, Unavailable
from aimass.kernel.principal import SYSTEM
from aimass.models import Column, Rows, Signature, build_package, load_model
from aimass.training import (
    CreateStudy,
    ListRuns,
    ListTrials,
    OneRun,
    Run,
    Split,
    StartOwnRun,
    StartRun,
    Study,
    Training,
)
from aimass.training.children.columns import columns_of
from aimass.training.children.guest import wire
from aimass.training.children.guest.host import guest
from aimass.training.children.own import check_text
from aimass.training.children.targets import outputs_of
from aimass.training.jobs import search
from aimass.training.keeping import blobs
from aimass.training.measures.labels import beside
from aimass.training.measures.relevance import Lists
from aimass.training.recipes.labels import choosing
from aimass.training.recipes.protocol import Table
from aimass.training.service import filed
from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.rooms import Rooms
from tests.training.place import ANN, EVE, ended, split_made

HEAD = """
from pydantic import BaseModel, ConfigDict, Field
from sklearn.linear_model import SGDClassifier
from aimass.training.recipes import RecipeManifest
from aimass.training.recipes.tabular import TabularRecipe

class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")
    alpha: float = Field(default=0.001, gt=0, description="Strength of the penalty")
    max_categories: int = 50

RECIPE = RecipeManifest(name="sgd", version="1.2", title="SGD", summary="A linear model.", parameters=Parameters)
"""
GOOD = (
    HEAD
    + """
def estimator(ctx):
    for _ in range(2):  # a step may be told again
        ctx.report(1, 2, rows=float(len(ctx.data("validation").truth)))
    assert ctx.restore() is None
    ctx.save(b"seen")
    return SGDClassifier(loss="log_loss", alpha=ctx.params.alpha, random_state=ctx.seed)

RUN = TabularRecipe(estimator=estimator, scales=True)
"""
)


def body_of(method: str, lines: str) -> str:
    """Return a recipe that does something else in one of its methods."""
    return f"""{HEAD}
import os, time
class Own(TabularRecipe):
    def {method}:
{lines}
RUN = Own(estimator=lambda ctx: SGDClassifier(loss="log_loss"), scales=True)
"""


@pytest.fixture(scope="module")
def split(rooms: Rooms) -> Split:
    return split_made(rooms)


def wish(split: Split, source: str = GOOD, **more: Any) -> StartOwnRun:
    return StartOwnRun(workspace="demo", recipe="my_recipe.py", source=source, split=split.id, folds=2, **more)


def trained(rooms: Rooms, split: Split, source: str = GOOD, **more: Any) -> Run:
    return ended(rooms, rooms.get(Training).start_own_run(ANN, wish(split, source, **more)))


@needs_bubblewrap
def test_a_file_is_trained_measured_and_packaged_like_any_recipe(rooms: Rooms, split: Split) -> None:
    run = trained(rooms, split, params={"alpha": 0.0005}, name="Mine")
    assert (run.state, run.name, run.recipe, run.error) == ("FINISHED", "Mine", "my_recipe.py", None)
    assert run.params == {"alpha": 0.0005, "max_categories": 50}
    assert run.recipe_version.startswith("sha256:")
    assert run.metrics["cv_roc_auc"] > 0.8
    assert run.package is not None
    assert run.package.runtime == "onnx"
    training = rooms.get(Training)
    names = {one.name for one in training.list_artifacts(ANN, OneRun(workspace="demo", run=run.id))}
    assert names >= {"my_recipe.py", "report.json", "folds.parquet"}
    _, path = training.artifact("demo", run.id, "my_recipe.py")
    assert path.read_text() == GOOD
    again = trained(rooms, split, params={"alpha": 0.0005}, name="Mine")
    assert again.package is not None
    assert (again.package.digest, again.metrics["cv_roc_auc"]) == (run.package.digest, run.metrics["cv_roc_auc"])


@needs_bubblewrap
def test_the_file_of_the_manual_trains(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/guides/own-recipe.md").read_text()
    source = text.partition("```python\n")[2].partition("```")[0]
    ctx = Small(params={"trees": 5, "max_categories": 9})
    with opened(tmp_path, source) as found:
        assert found.describe("classification")["name"] == "extra_trees"
        model = found.fit(ctx)
        assert found.evaluate(ctx, model, ctx.data("validation"))["roc_auc"] == 1.0
        candidate = found.package(ctx, model)
        assert candidate.to_onnx is not None
        assert b"TreeEnsemble" in candidate.to_onnx()


@needs_bubblewrap
def test_it_sees_no_data_and_no_network(rooms: Rooms, split: Split) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    lines = f"""
        import socket
        places = [p for p in ({str(rooms.folder)!r}, "/etc/passwd", "/home", {str(Path.cwd() / "tests")!r}) if os.path.exists(p) and (os.path.isfile(p) or os.listdir(p))]
        words = sorted(name for name in os.environ if "AIMASS" in name or "KEY" in name or "SECRET" in name)
        try:
            socket.create_connection(("127.0.0.1", {port}), 1)
            net = "reached"
        except OSError as reason:
            net = type(reason).__name__
        try:
            open("/recipe/new", "w")
        except OSError as reason:
            refused = reason.errno
        raise RuntimeError(f"saw {{places}} {{words}} {{net}} {{refused}}")
"""
    run = trained(rooms, split, body_of("fit(self, ctx)", lines))
    assert run.state == "FAILED"
    assert run.error is not None
    assert run.error["detail"] == "RuntimeError: saw [] [] ConnectionRefusedError 30"  # a file system that is read-only
    server.close()


@needs_bubblewrap
def test_a_process_that_dies_fails_its_run_and_its_words_are_in_the_log(rooms: Rooms, split: Split) -> None:
    lines = "        print('good bye', flush=True)\n        os._exit(3)"
    run = trained(rooms, split, body_of("fit(self, ctx)", lines))
    assert (run.state, run.package) == ("FAILED", None)
    assert run.error is not None
    assert "the process of recipe 'my_recipe.py' ended: exit status 3" in run.error["detail"]
    asked = GetJobLog(workspace="demo", job=str(run.job))
    said = [line.text for line in rooms.get(Jobs).get_job_log(SYSTEM, asked).lines]
    assert "good bye" in said


SAID = {
    "syntax": ("def x(:\n", "my_recipe.py, line 1: SyntaxError"),
    "import": (
        "\nimport no_such_thing\n",
        "my_recipe.py, line 2: ModuleNotFoundError: No module named 'no_such_thing'",
    ),
    "nothing": ("x = 1\n", "has no RECIPE"),
    "no run": (HEAD, "RUN of 'my_recipe.py' has no fit"),
    "task": (
        HEAD.replace("=Parameters)", '=Parameters, tasks=("regression",))') + "RUN = TabularRecipe(estimator=str)",
        "does not do classification",
    ),
}


@needs_bubblewrap
@pytest.mark.parametrize("fault", SAID)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, fault: str) -> None:
    source, said = SAID[fault]
    with opened(tmp_path, source) as found, pytest.raises(Invalid) as refused:
        found.describe("classification")
    assert said in refused.value.message


def opened(folder: Path, source: str) -> Any:
    (folder / "text").write_text(source)
    return guest(folder / "text", "my_recipe.py", (folder,))


SIGNATURE = Signature(inputs=(Column(name="a", type="float"),), outputs=outputs_of(("no", "yes")))


@dataclass
class Small:
    """Rows for a recipe, and what it told."""

    task: str = "classification"
    params: Any = field(default_factory=lambda: {"alpha": 0.01, "max_categories": 9})
    signature: Signature = SIGNATURE
    seed: int = 0
    threads: int = 1
    told: list[Any] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)

    def data(self, part: str) -> Table:
        rows = 40 if part == "train" else 8
        values = [float(n % 8) for n in range(rows)]
        return Table(features=pl.DataFrame({"a": values}), truth=np.array([int(v > 3) for v in values]))

    def report(self, step: int, total: int, **metrics: float) -> None:
        self.told.append((step, total, metrics))

    def save(self, state: bytes, name: str = "recipe") -> None:
        self.kept[name] = state

    def restore(self, name: str = "recipe") -> bytes | None:
        return self.kept.get(name)


class Ordered(Small):
    """Rows of lists of eight."""

    def data(self, part: str) -> Table:
        features = super().data(part).features
        truth = Lists(relevance=features["a"].to_numpy(), lists=np.arange(features.height) // 8)
        return Table(features=features, truth=truth)


@needs_bubblewrap
def test_a_file_learns_an_order_from_lists_that_come_whole(tmp_path: Path) -> None:
    source = body_of(
        "fit(self, ctx)", "        t = ctx.data('train').truth; return [sum(t.relevance), len(set(t.lists))]"
    )
    source = source.replace('summary="A linear model."', 'summary="An order.", tasks=("ranking",)')
    source += (
        "Own.predict = lambda self, ctx, model, features: features['a'].to_numpy() + model[1] - 5 + model[0] - 140\n"
    )
    ctx = Ordered(task="ranking", signature=replace(SIGNATURE, outputs=outputs_of(())))
    with opened(tmp_path, source) as found:
        assert found.describe("ranking")["tasks"] == ["ranking"]
        model = found.fit(ctx)
        assert (
            found.predict(ctx, model, ctx.data("train").features).tolist() == ctx.data("train").features["a"].to_list()
        )
        assert found.evaluate(ctx, model, ctx.data("validation"))["ndcg_10"] == 1.0


class Several(Small):
    """Rows that may have two labels."""

    def data(self, part: str) -> Table:
        features = super().data(part).features
        values = features["a"].to_numpy()
        return Table(features=features, truth=np.stack([values > 3, values < 6], axis=1))


@needs_bubblewrap
def test_a_file_for_two_classes_learns_several_labels_and_the_platform_chooses(tmp_path: Path) -> None:
    source = GOOD.replace("parameters=Parameters)", 'parameters=Parameters, tasks=("multilabel",))')
    ctx = Several(task="multilabel", signature=replace(SIGNATURE, outputs=outputs_of(("high", "low"), "multilabel")))
    limits = np.array([0.5, 0.5], dtype=np.float32)
    with opened(tmp_path, source) as found:
        model, features = found.fit(ctx), ctx.data("validation").features
        assert found.evaluate(ctx, model, ctx.data("validation"))["macro_ap"] == 1.0
        said = beside(found.predict(ctx, model, features), limits)
        replayed = Rows(columns=columns_of(features), expected=said, thresholds=limits)
        package, parity = build_package(tmp_path / "package", choosing(found.package(ctx, model), limits), replayed)
    assert (package.manifest.runtime, parity.passed) == ("onnx", True)
    assert load_model(package).predict({"a": [7.0]})["labels"].tolist() == [["high", ""]]


@needs_bubblewrap
def test_host_and_guest_agree(tmp_path: Path) -> None:
    ctx = Small()
    with opened(tmp_path, GOOD) as found:
        about = {"name": "sgd", "version": "1.2", "tasks": ["classification"]}
        assert found.describe("classification") == {**about, "parameters": ["alpha", "max_categories"], "space": {}}
        with pytest.raises(Invalid, match="alpha"):
            found.check({"alpha": -1})
        with pytest.raises(Invalid, match="no_such"):
            found.check({"no_such": 1})
        assert found.check({}) == {"alpha": 0.001, "max_categories": 50}
        first = found.fit(ctx)
        assert (ctx.told, ctx.kept) == ([(1, 2, {"rows": 8.0})] * 2, {"recipe": b"seen"})
        features = ctx.data("train").features
        assert found.predict(ctx, first, features).shape == (40, 2)
        assert found.evaluate(ctx, first, ctx.data("validation"))["roc_auc"] == 1.0
        assert found.importance(ctx, first) == {"a": 1.0}
        with pytest.raises(Failed, match="AssertionError"):  # there is a state now
            found.fit(ctx)
        with pytest.raises(Invalid, match="earlier fit"):
            found.predict(ctx, first, features)


ODD = {
    "shape": ("return [0.5]", "returned float64 of shape (1,)"),
    "words": ("return [['a', 'b']] * features.height", "returned <U1"),
    "infinite": ("return [[float('inf'), 0.0]] * features.height", "returned float64"),
}


@needs_bubblewrap
@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_answer_is_refused(tmp_path: Path, odd: str) -> None:
    line, said = ODD[odd]
    ctx = Small()
    with opened(tmp_path, body_of("predict(self, ctx, model, features)", f"        {line}")) as found:
        model = found.fit(ctx)
        with pytest.raises(Failed) as refused:
            found.predict(ctx, model, ctx.data("train").features)
    assert said in refused.value.message


ODD_REPORTS = [
    "ctx.report(1, 2, **{'fold_roc_auc': 1.0})",
    "ctx.report(1, 2, **{'a b': 1.0})",
    "ctx.report(1, 2, **{'x' * 200: 1.0})",
    "ctx.report(-1, 2, loss=1.0)",
    "ctx.report(2**40, 2, loss=1.0)",
    "ctx.report(1, 2, **{f'm{n}': 1.0 for n in range(60)})",
]


@needs_bubblewrap
@pytest.mark.parametrize("line", ODD_REPORTS)
def test_reports_that_cannot_be_kept_are_refused(tmp_path: Path, line: str) -> None:
    source = body_of("fit(self, ctx)", f"        {line}")
    with opened(tmp_path, source) as found, pytest.raises(Invalid, match="reports what cannot be kept"):
        found.fit(Small())


@needs_bubblewrap
def test_words_without_end_are_cut(tmp_path: Path) -> None:
    source = body_of("fit(self, ctx)", "        raise ValueError('x' * 5_000_000)")
    with opened(tmp_path, source) as found, pytest.raises(Failed) as refused:
        found.fit(Small())
    assert len(refused.value.message) <= 2000


def test_a_guest_that_announces_more_than_memory_is_not_believed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        head = b'{"result": {}, "bodies": [99999999999999]}'
        theirs.sendall(len(head).to_bytes(4, "big") + head)
        with pytest.raises(Invalid, match="99999999999999"):
            wire.receive(ours)
        theirs.sendall(b"\xff\xff\xff\xff")
        with pytest.raises(Invalid, match="4294967295"):
            wire.receive(ours)


@pytest.mark.parametrize("name", ["../x.py", "x", "x.py.txt", "a b.py", ".py", "x/y.py"])
def test_a_name_that_is_no_file_of_python_is_refused(rooms: Rooms, split: Split, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        rooms.get(Training).start_own_run(ANN, replace(wish(split), recipe=name))
    assert refused.value.field == "recipe"


def test_a_text_that_is_too_long_is_refused(rooms: Rooms, split: Split) -> None:
    with pytest.raises(Invalid) as refused:
        rooms.get(Training).start_own_run(ANN, wish(split, "#" * 200_001))
    assert refused.value.field == "source"


def test_without_a_sandbox_nothing_runs(rooms: Rooms, split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filed, "find_sandbox", lambda: Sandbox(is_there=False, reason="bubblewrap is not installed"))
    with pytest.raises(Unavailable, match="bubblewrap is not installed"):
        rooms.get(Training).start_own_run(ANN, wish(split))


def test_readers_bring_no_code(rooms: Rooms, split: Split) -> None:
    with pytest.raises(Forbidden):
        rooms.get(Training).start_own_run(EVE, wish(split))


OFFERED = GOOD.replace(
    "parameters=Parameters)",
    'parameters=Parameters, space={"alpha": {"type": "float", "low": 1e-4, "high": 0.1, "log": True}})',
)


def searching(split: Split, **more: Any) -> CreateStudy:
    given = {"recipe": "my_recipe.py", "sampler": "random", "folds": 2, "trials": 1, **more}
    return CreateStudy(workspace="demo", split=split.id, **given)


@needs_bubblewrap
def test_a_study_searches_the_parameters_of_a_file_and_its_file_is_named_by_a_run(rooms: Rooms, split: Split) -> None:
    training = rooms.get(Training)
    begun = training.create_study(ANN, searching(split, source=OFFERED, params={"max_categories": 9}))
    assert (begun.recipe, list(begun.space), begun.name) == ("my_recipe.py", ["alpha"], "my_recipe.py on telco-churn")
    assert {one.sha256 for one in blobs(rooms.registry) if one.what == "recipes of studies"} == {begun.source}

    def over() -> Study | None:
        search(rooms.registry)
        return found if (found := training.study("demo", begun.slug)).state != "RUNNING" else None

    study = rooms.until(over)
    assert (study.state, study.counts, study.reason) == ("FINISHED", {"COMPLETE": 1}, "")
    (trial,) = training.list_trials(EVE, ListTrials(workspace="demo", study=study.slug)).items
    run = training.get_run(EVE, OneRun(workspace="demo", run=str(trial.run)))
    assert run.recipe_version == begun.recipe_version == f"sha256:{str(begun.source)[:12]}"
    assert (run.params["alpha"], run.params["max_categories"]) == (trial.params["alpha"], 9)

    named = f"my_recipe.py@{run.id}"  # what pipelines and schedules name
    again = training.start_run(ANN, StartRun(workspace="demo", recipe=named, split=split.id, folds=2))
    assert (again.recipe, again.recipe_version) == ("my_recipe.py", run.recipe_version)
    assert training.artifact("demo", again.id, "my_recipe.py")[1].read_text() == OFFERED
    training.cancel_run(ANN, OneRun(workspace="demo", run=again.id))
    low = {"alpha": {"type": "float", "low": -1, "high": 1}}
    with pytest.raises(Invalid) as refused:
        training.create_study(ANN, searching(split, recipe=named, space=low))
    assert (refused.value.field, refused.value.value) == ("space.alpha.low", -1)
    with pytest.raises(Invalid, match=r"'my_recipe.py' offers nothing to search") as refused:
        training.create_study(ANN, searching(split, source=GOOD))
    assert refused.value.allowed == ["alpha", "max_categories"]
    assert "--space of `aimass studies create`" in str(refused.value.hint)


@pytest.mark.parametrize("name", ["my_recipe.py@", "other.py@{run}", "../my_recipe.py@{run}"])
def test_a_file_that_no_run_of_the_workspace_kept_is_refused(rooms: Rooms, split: Split, name: str) -> None:
    training = rooms.get(Training)
    kept = training.list_runs(EVE, ListRuns(workspace="demo", recipe="my_recipe.py", limit=1)).items
    wish = StartRun(workspace="demo", recipe=name.format(run=kept[0].id if kept else "none"), split=split.id)
    with pytest.raises((NotFound, Invalid)):
        training.start_run(ANN, wish)
    with pytest.raises(Forbidden):
        training.start_run(EVE, wish)


def test_a_text_that_changed_on_the_disk_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "text").write_text(GOOD)
    source = {"file": str(tmp_path / "text"), "name": "my_recipe.py", "sha256": sha256(GOOD.encode()).hexdigest()}
    check_text(source)
    (tmp_path / "text").write_text(GOOD.replace("log_loss", "hinge"))
    with pytest.raises(Conflict, match="not the one that was given"):
        check_text(source)


@needs_bubblewrap
def test_a_file_that_hangs_when_it_is_read_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("import time\ntime.sleep(60)\n")
    with (
        guest(tmp_path / "text", "my_recipe.py", (tmp_path,), patience_s=0.2) as found,
        pytest.raises(Failed, match=r"says nothing for 0\.2 s"),
    ):
        found.describe("classification")
