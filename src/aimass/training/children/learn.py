"""The job ``training.learn``: answer and learn the rows that are new, and write down what is known then.

What the learner knows and its place in the data are one file, so a killed job neither loses a row nor learns one twice: the next
attempt begins where the last whole file stands.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Conflict
from aimass.models import Column, Rows, Signature, policy_outputs, sampled
from aimass.training.children.costs import row_us
from aimass.training.children.decisionlearner import labels_of, logged_window
from aimass.training.children.decisions import POLICY
from aimass.training.children.exported import packaged
from aimass.training.children.fit import described
from aimass.training.children.forgetting import hash_of
from aimass.training.children.increments import increment, numbers_of, texts
from aimass.training.children.learnerfiles import begun, unpack
from aimass.training.children.online import Online
from aimass.training.children.served import Encoder
from aimass.training.children.sources import Source, identities, read_rows, read_split
from aimass.training.children.starting import started
from aimass.training.children.table import prepare
from aimass.training.children.targets import outputs_of, target_of
from aimass.training.children.windowfiles import SAID, WHOSE, window_of
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.policies import Logged
from aimass.training.online import MODELS

STATE, WINDOW = "learner.state", "window.parquet"
CHECKPOINT = "learner"
MOST_CATEGORIES = 100
EVERY_S = 3.0
EVERY_ROWS = 2000


def learn(ctx: Any) -> dict[str, Any]:
    """Learn what is new; write ``learner.state``, and ``package/``, ``report.json`` and ``window.parquet`` of a snapshot.

    The payload has what names the data of a fit; ``spec`` (see :class:`~aimass.training.children.online.Online`);
    ``state`` (``file``, ``sha256``; none at first); ``start`` (``from``, ``transfer``: the state is that of another learner);
    ``before`` (``path``, ``version``: what was learned, whole); ``position`` (rows after that, which were taken); ``most``
    (rows that one job takes) and ``snapshot``: ``asked``, ``every``, ``on_drift``, ``rows`` and ``drift`` of the last one.
    """
    ctx.report(0.02, stage="read")
    rows = _rows(ctx)
    learner, place = _known(ctx, rows)
    start = place["position"]
    end = min(rows.height, int(ctx.params["position"]) + int(ctx.params["most"]))
    _take(ctx, learner, rows[start:end], start, max(end, 1))
    is_whole = end == rows.height
    cursor = {"seq": ctx.params["seq"] + 1, "position": 0 if is_whole else end}
    state = learner.pack(cursor)
    (ctx.out / STATE).write_bytes(state)
    snapshot = _snapshot(ctx, learner)
    metrics = learner.metrics()
    ctx.report(1.0, stage="done", **metrics)
    return {
        "seq": ctx.params["seq"],
        "version_id": ctx.params["version_id"],
        "is_whole": is_whole,
        "position": cursor["position"],
        "taken": end - int(ctx.params["position"]),
        "sha256": sha256(state).hexdigest(),
        "rows": learner.rows,
        "classes": sorted(learner.classes),
        "counted": dict(learner.counted),
        "metrics": metrics,
        "drifts": learner.drifts,
        "notes": learner.notes,
        "points": learner.points,
        "snapshot": snapshot,
    }


def _known(ctx: Any, rows: pl.DataFrame) -> tuple[Online, dict[str, Any]]:
    """Return the learner and its place: of an earlier attempt of this job, of the last commit, or a new one."""
    spec, saved = ctx.params["spec"], ctx.restore(CHECKPOINT)
    if saved is not None:
        learner, place = unpack(saved, spec)
        ctx.log(f"goes on after {place['position']} rows of an attempt that was stopped")
        return learner, place
    place = {"position": int(ctx.params["position"])}
    if ctx.params["state"] is None:
        return _new(ctx), place
    data = Path(ctx.params["state"]["file"]).read_bytes()
    if sha256(data).hexdigest() != ctx.params["state"]["sha256"]:
        raise Conflict(
            "what the learner knew has changed since it was written",
            field="state",
            value=ctx.params["state"]["sha256"],
            hint="roll the learner back to a snapshot",
        )
    learner, _ = unpack(data, spec)
    if ctx.params["start"] is not None:
        return started(_new(ctx), learner, ctx.params["start"], rows), place
    learner.points = []
    return learner, place


def _new(ctx: Any) -> Online:
    data = prepare(Source.of(_whole(ctx)), ctx.params["split"])
    signature = data.signature
    columns = [
        {
            "name": c.name,
            "type": c.type,
            "categories": None if c.categories is None or len(c.categories) > MOST_CATEGORIES else list(c.categories),
        }
        for c in signature.inputs
    ]
    if ctx.params.get("task") == POLICY:
        columns = [column | _place_of(data.table("train").features[column["name"]]) for column in columns]
    ctx.log(f"begins with {len(columns)} columns")
    return begun(ctx.params["spec"], columns, signature.classes)


def _place_of(column: pl.Series) -> dict[str, float]:
    """Return where the training rows lie in a column of numbers: a bandit counts from there, and never anew."""
    if column.dtype == pl.String:
        return {}
    known = column.cast(pl.Float64).drop_nulls().to_numpy()
    return {
        "middle": float(np.float32(known.mean())) if len(known) else 0.0,
        "spread": (float(known.std()) or 1.0) if len(known) else 1.0,
    }


def _whole(ctx: Any) -> dict[str, Any]:
    """Return the payload with the version that the split is of."""
    return {**ctx.params, "dataset": ctx.params["base"]}


def _rows(ctx: Any) -> pl.DataFrame:
    """Return the rows that this job may learn: the training part at first, later what a version brought."""
    if ctx.params["before"] is None:
        source = Source.of(_whole(ctx))
        rows = read_rows(source)
        parts = read_split(ctx.params["split"]["file"], ctx.params["split"].get("sha256"), rows.height)
        target_of(rows, source.target, source.task)  # refuses what holds no classes, or no numbers
        train = rows.filter((parts == "train").fill_null(value=False))
        return _ordered(ctx, train.sample(fraction=1.0, shuffle=True, seed=ctx.params["spec"]["seed"]))
    at, before = ctx.params["dataset"], ctx.params["before"]
    return _ordered(ctx, increment(at["path"], before["version"], at["version"]))


def _ordered(ctx: Any, rows: pl.DataFrame) -> pl.DataFrame:
    column = ctx.params["time"]
    if column is None or column not in rows.columns:
        return rows
    return rows.sort(column, maintain_order=True, nulls_last=True)


def _judging(ctx: Any) -> frozenset[str]:
    """Return the keys of the rows that judge models; they are never learned."""
    if ctx.params["key"] is None:
        return frozenset()
    split = pl.read_parquet(ctx.params["split"]["file"], columns=["identity", "part"])
    return frozenset(split.filter(pl.col("part").is_in(["validation", "test", "future"]))["identity"].to_list())


def _take(ctx: Any, learner: Online, rows: pl.DataFrame, start: int, end: int) -> None:
    """Learn rows; what is known is committed every few seconds."""
    target, key, when = ctx.params["target"], ctx.params["key"], ctx.params["time"]
    if rows.height and target not in rows.columns:
        raise Conflict(
            f"the dataset has no column {target!r} any more",
            field="target",
            value=target,
            allowed=rows.columns[:50],
            hint="bring the column back, or create a learner for another one",
        )
    labels = _labels(ctx, learner, rows) if rows.height else []
    keys: Any = identities(rows, key) if key is not None and key in rows.columns else [None] * rows.height
    judging = _judging(ctx) if ctx.params["before"] is not None else frozenset[str]()
    times: Any = rows[when] if when is not None and when in rows.columns else [None] * rows.height
    last = time.monotonic()
    for done, (row, label, name, moment) in enumerate(
        zip(rows.iter_rows(named=True), labels, keys, times, strict=True), start=1
    ):
        if name is not None and name in judging:
            learner.counted["judging"] += 1
        else:
            learner.take(row, label, name, moment)
        if done % EVERY_ROWS == 0 or (done % 50 == 0 and time.monotonic() - last > EVERY_S):
            ctx.save(learner.pack({"seq": ctx.params["seq"], "position": start + done}), CHECKPOINT)
            ctx.report(0.05 + 0.8 * (start + done) / end, stage="learn", rows=learner.rows, **learner.metrics())
            last = time.monotonic()


def _labels(ctx: Any, learner: Online, rows: pl.DataFrame) -> list[Any]:
    """Return the label of each row: its class, its number, or what came of what was done."""
    if _task(learner) == POLICY:
        names = (ctx.params["target"], ctx.params["action"], ctx.params["propensity"])
        missing = next((name for name in names if name not in rows.columns), None)
        if missing:
            raise Conflict(f"the dataset has no column {missing!r} any more", field="dataset", value=missing)
        return labels_of(rows, names, (texts, numbers_of))
    return (texts if _task(learner) == "classification" else numbers_of)(rows[ctx.params["target"]])


def _cause(learner: Online, wanted: Mapping[str, Any]) -> str | None:
    """Return why a snapshot is due; None when it is not."""
    if wanted["asked"]:
        return "asked"
    adapted = [at for at in learner.drifts if wanted["drift"] < at <= learner.rows - learner.spec["window"]]
    if wanted["on_drift"] and adapted:
        return "drift"
    is_due = wanted["every"] is not None and learner.rows - wanted["rows"] >= wanted["every"]
    return "rows" if is_due else None


def _snapshot(ctx: Any, learner: Online) -> dict[str, Any] | None:
    """Package what is known, measured on the newest rows as they were answered before they were learned."""
    cause, window = _cause(learner, ctx.params["snapshot"]), learner.window()
    if cause is None:
        return None
    task, classes = _task(learner), sorted(learner.classes)
    truth, said = _told(task, window, classes)
    if len(window) < 2 or len(np.unique(truth.actions if task == POLICY else truth)) < 2:  # noqa: PLR2004 what tells apart
        what = "one action" if task == POLICY else "one class" if classes else "one number"
        ctx.log(f"no snapshot: the newest {len(window)} rows hold {what}, so there is nothing to measure it by")
        return None
    ctx.report(0.9, stage="package")
    signature = _signature(learner, classes)
    columns = _columns(learner, window)
    height = len(window)
    begun_at = time.perf_counter()
    given = [learner.answer({n: v[i] for n, v in columns.items()}, classes) for i in range(height)]
    took = (time.perf_counter() - begun_at) / height * 1e6
    replayed = Rows(columns=columns, expected=np.array(given))
    package, parity = packaged(ctx.out / "package", learner, signature, replayed)
    measures = measures_of(task)
    found = {**measures.scores(truth, said), **{f"prequential_{k}": v for k, v in learner.metrics().items()}}
    is_code = package.manifest.entry is not None  # a module of a name is loaded once in a process
    metrics = {**found, "row_us": took if is_code else row_us(package), "rows": float(learner.rows)}
    shown = "dr" if task == POLICY else "accuracy" if classes else "rmse"
    report = {
        "task": task,
        "metrics": metrics,
        "folds": [],
        "classes": classes,
        "curves": measures.curves(truth, said, classes),
        "history": {shown: [(rows, one[shown]) for rows, one in learner.points]},
        "importance": None,
        "rows": {"train": learner.rows},
        "notes": learner.notes,
    }
    (ctx.out / "report.json").write_text(json.dumps(report, ensure_ascii=False, allow_nan=False))
    whose = [one[6] for one in window]
    _write_window(ctx.out / WINDOW, {"columns": columns, "keys": whose}, classes, truth, said)
    drift = max([at for at in learner.drifts if at <= learner.rows - learner.spec["window"]], default=0)
    mine = None if None in whose else [whose[place] for place in sampled(replayed, signature)]
    return {"cause": cause, "metrics": metrics, "package": described(package, parity), "drift": drift, "sampled": mine}


def _task(learner: Online) -> str:
    return MODELS[learner.spec["model"]].task


def _told(task: str, window: list[list[Any]], classes: list[str]) -> tuple[Any, Any]:
    """Return what is true of the newest rows, and what was said of them before they were learned."""
    if task == POLICY:
        return logged_window(window, classes) if window else (np.empty(0), np.empty(0))
    said = np.array([[one[1].get(name, 0.0) for name in classes] if classes else one[1] for one in window])
    return _truth(window, classes), said


def _truth(window: list[list[Any]], classes: list[str]) -> Any:
    """Return what is true of the newest rows: the places of their classes, or their numbers."""
    if not classes:
        return np.array([float(one[0]) for one in window])
    return np.array([classes.index(one[0]) for one in window], dtype=np.int64)


def _write_window(file: Path, rows: Mapping[str, Any], classes: list[str], truth: Any, said: Any) -> None:
    """Write the newest rows with the truth and what was said of them: what another model is compared on.

    Who a row is of is written as a hash, by which an erasure finds it.
    """
    columns, keys = rows["columns"], rows["keys"]
    frame = pl.DataFrame({f"in.{name}": values for name, values in columns.items()}, strict=False)
    if isinstance(truth, Logged):
        frame = pl.concat([frame, window_of(truth, said, classes)], how="horizontal")
    else:
        frame = frame.with_columns(pl.Series("truth", [classes[one] for one in truth] if classes else truth))
        answers = {f"p.{name}": said[:, place] for place, name in enumerate(classes)} if classes else {SAID: said}
        frame = frame.with_columns(pl.Series(name, values) for name, values in answers.items())
    frame = frame.with_columns(
        pl.Series(WHOSE, [None if key is None else hash_of(key) for key in keys], dtype=pl.String)
    )
    frame.write_parquet(file, compression="zstd", statistics=False)


def _signature(learner: Online, classes: list[str]) -> Signature:
    """Return what a snapshot takes and answers: any column may be missing, for the learner met that too."""
    inputs = tuple(
        Column(
            name=c["name"],
            type=c["type"],
            nullable=True,
            categories=None if c["categories"] is None else tuple(c["categories"]),
        )
        for c in learner.columns
    )
    is_policy = _task(learner) == POLICY
    return Signature(inputs=inputs, outputs=policy_outputs(classes) if is_policy else outputs_of(tuple(classes)))


def _columns(learner: Online, window: list[list[Any]]) -> dict[str, list[Any]]:
    """Return the inputs of the window in the types of the signature; what is none of them is missing."""
    kinds: dict[str, Any] = {"string": str, "integer": int, "boolean": bool, "float": float}
    alone = [Encoder([{**c, "categories": None}], one_hot=False) for c in learner.columns]
    found: dict[str, list[Any]] = {}
    for place, column in enumerate(learner.columns):
        name, kind = column["name"], column["type"]
        values: list[Any] = []
        for one in window:
            value = one[5][place]
            if kind != "string":
                value = alone[place].encode({name: value}).get(name)
            values.append(None if value is None else kinds[kind](value))
        found[name] = values
    return found
