"""The job ``training.split``: give every row of a dataset version its part, by a seed that is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.training.children.assigning import (
    PARTS,
    assign,
    assign_groups,
    assign_times,
    check_groups,
    check_parts,
    group_of,
    keep_groups,
    leaks,
    out_of_order,
    times_of,
)
from aimass.training.children.boxing import DETECTION, the_picture_column
from aimass.training.children.decisions import POLICY, actions_of, check_decisions
from aimass.training.children.labels import labels_by_part, some
from aimass.training.children.marking import TAGGING, text_columns
from aimass.training.children.newcomers import assign_both, list_moments
from aimass.training.children.passages import LANGUAGE, READ, has_words
from aimass.training.children.sources import SPLIT_FILE, Source, identities, read_rows
from aimass.training.children.table import RANKING, laid_by, told_of
from aimass.training.children.targets import FIXED_CLASSES, MULTILABEL, find_task, strata_of, target_of
from aimass.training.children.tensors import is_tensor, length_of, why_no_tensor
from aimass.training.children.texts import texts_of
from aimass.training.children.windows import FORECASTING, cut
from aimass.training.errors import Unlearnable
from aimass.training.measures.objects import Scenes
from aimass.training.measures.spans import entities_of

_ASIDE = ("future", "none")
_FOUND = frozenset({*READ, DETECTION})


def split(ctx: Any) -> dict[str, Any]:
    """Write ``split.parquet`` (row, part, identity) and return its hash, counts and task.

    The payload has ``dataset`` (``path``, ``version``), ``target``, ``task`` (found from the target where there is none),
    ``key``, ``group`` and ``time`` (columns), ``fractions`` by part, ``seed``, ``stratify`` and ``base``: the file of an
    earlier split. Rows that the base knows keep their part, so that a test set stays untouched when the dataset grows; new
    rows go to ``new_rows`` (``train``), and so do rows that were put aside and have come back: those whose keys are in
    ``returned`` (``path``, ``column`` of a Parquet file).
    """
    fractions = check_fractions(ctx.params["fractions"])
    ctx.report(0.1, stage="read")
    rows = read_rows(Source.of(ctx.params))
    target, task, notes = _target(rows, ctx.params)
    identity = identities(rows, ctx.params.get("key"))
    ctx.report(0.5, stage="assign")
    if ctx.params.get("base"):
        parts = _carried(ctx.params, rows, target, identity)
    else:
        parts, more = _drawn(ctx.params, rows, target, fractions)
        notes += more
    has_truth = bool(ctx.params["target"])
    if has_truth and (task == "classification" or task in FIXED_CLASSES):
        check_classes(target, parts)
    check_parts(parts)
    horizon = None
    if task == FORECASTING:
        horizon, told = _ahead(ctx.params, rows, parts)
        notes += told
    notes += _of_task(task, ctx.params, rows, target, parts)
    target = target.fill_null("text") if task == LANGUAGE else target  # what has no words is told already
    notes += _checked(ctx.params, rows, identity, parts)
    found = _write(ctx.out / SPLIT_FILE, parts, target, identity, notes)
    if task == POLICY:  # who reads of the split wants to know how often each action was taken
        found["classes"] = _by_class(pl.DataFrame([parts.alias("part")]), actions_of(rows, ctx.params["action"]))
    classes = found["classes"] if has_truth and task not in _FOUND else {}
    return {**found, "classes": classes, "task": task, "horizon": horizon, **_kinds(rows, ctx.params)}


def _of_task(
    task: str, payload: Mapping[str, Any], rows: pl.DataFrame, target: pl.Series, parts: pl.Series
) -> list[str]:
    """Return what people should know of the truth of a task; refuse what nothing can be learned from."""
    if task == MULTILABEL:
        return labels_by_part(target, parts)
    if task in READ:
        return _read(task, payload, rows, target)
    if task == DETECTION:
        return _boxed(payload, rows, target, parts)
    return check_decisions(rows, target, payload, parts) if task == POLICY else []


def _kinds(rows: pl.DataFrame, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a selector has to know of the columns that can be learned from: those of free text, and of lists."""
    aside = _told_aside(payload)
    learned = rows.select(name for name in rows.columns if name not in aside and not name.startswith("_"))
    if payload.get("task") in READ:
        return {"texts": text_columns(rows, _told_aside(payload)), "lists": {}}
    lists = [column for column in learned.iter_columns() if is_tensor(column.dtype)]
    fit = {one.name: length_of(one) for one in lists if why_no_tensor(one, is_chosen=False) is None}
    return {"texts": list(texts_of(learned)), "lists": fit}


def _told_aside(payload: Mapping[str, Any]) -> list[str | None]:
    """Return the columns that play a part of their own."""
    return [payload.get(name) for name in ("target", "key", "group", "time", "action", "propensity", "episode", "step")]


def _ahead(payload: Mapping[str, Any], rows: pl.DataFrame, parts: pl.Series) -> tuple[int, list[str]]:
    """Return how many steps ahead a forecast looks, and what was found; refuse rows that are no series."""
    laid = laid_by(Source.of(payload), rows, parts)
    wanted, found = payload.get("horizon"), next(iter(laid.grid.seasons), 1)
    horizon = wanted or found
    told = [] if wanted else [f"forecasts look {horizon} steps ahead: as many as the shortest season has"]
    windows = cut(laid, steps=horizon, history=laid.history_for(horizon))
    for part in ("train", "validation", "test"):
        if not len(windows.of(part).truth):
            raise Unlearnable(
                f"part {part!r} holds no window of {laid.history_for(horizon)} known values and {horizon} that follow",
                field="horizon",
                value=horizon,
                hint="look fewer steps ahead, or collect more rows without gaps",
            )
    count = "one series" if len(laid.names) == 1 else f"{len(laid.names)} series"
    return horizon, [*told, f"{count}, a season has {laid.season} steps"]


def _read(task: str, payload: Mapping[str, Any], rows: pl.DataFrame, target: pl.Series) -> list[str]:
    """Return what is odd about texts and what is told of them; of entities how many there are of each type, and refuse others."""
    names = text_columns(rows, _told_aside(payload))
    if len(names) > 1:
        notes = [f"{', '.join(map(repr, names[:5]))} may be the texts: name one in the features of a run"]
    else:
        notes = READ[task].notes(rows[names[0]].to_list(), target, payload["target"])
    if task != TAGGING:
        empty = rows.height - int(has_words(rows[names[0]]).sum()) if len(names) == 1 else 0
        return [*notes, f"{empty} rows left out: they have no text"] if empty else notes
    counts = Counter(one.type for written in target.drop_nulls() for one in entities_of(written))
    return [", ".join(f"{count} of {name!r}" for name, count in counts.most_common()) + " are marked", *notes]


def _boxed(payload: Mapping[str, Any], rows: pl.DataFrame, target: pl.Series, parts: pl.Series) -> list[str]:
    """Return how many objects there are of each label; refuse rows without pictures, and labels that no training picture shows."""
    the_picture_column(rows, _told_aside(payload))
    scenes = {part: Scenes.of(target.filter(parts == part).drop_nulls()) for part in ("train", "validation", "test")}
    for part, scene in scenes.items():
        if not scene.labels():
            raise Unlearnable(
                f"part {part!r} holds no object", field="target", value=part, hint="mark more pictures, or split anew"
            )
    strange = sorted({name for scene in scenes.values() for name in scene.labels()} - set(scenes["train"].labels()))
    counts = Counter(one.label for scene in scenes.values() for some in scene.things for one in some)
    points = max(scene.points for scene in scenes.values())
    return [
        ", ".join(f"{count} of {name!r}" for name, count in counts.most_common()) + " are marked",
        *([f"objects have {points} key points"] if points else []),
        *([f"labels that no training picture shows, and that nothing can find: {some(strange)}"] if strange else []),
    ]


def _target(rows: pl.DataFrame, payload: Mapping[str, Any]) -> tuple[pl.Series, str, list[str]]:
    """Return the target as its task wants it, the task, and how it was found."""
    name, task, separator = payload["target"], payload.get("task"), payload.get("separator") or ""
    if separator and task is None:
        task = MULTILABEL
    if task is not None:
        return _with_text(task, payload, rows, told_of(Source.of({**payload, "task": task}), rows)), task, []
    task, why = find_task(rows[name])
    is_clear = task == "classification"
    told = [] if is_clear and not rows[name].dtype.is_numeric() else [f"the task is {task}: {why}"]
    return target_of(rows, name, task), task, told


def _with_text(task: str, payload: Mapping[str, Any], rows: pl.DataFrame, target: pl.Series) -> pl.Series:
    """Return the target, null where a language model has no text to learn from."""
    names = text_columns(rows, _told_aside(payload)) if task == LANGUAGE else []
    if len(names) != 1:
        return target
    return pl.select(pl.when(has_words(rows[names[0]])).then(target)).to_series().alias(target.name)


def _drawn(
    payload: Mapping[str, Any], rows: pl.DataFrame, target: pl.Series, fractions: Mapping[str, float]
) -> tuple[pl.Series, list[str]]:
    """Return the part of each row of a split without base, and what people should know of it."""
    is_known = target.is_not_null()
    if payload.get("time") and _is_by_group(payload):
        return assign_both(group_of(rows[payload["group"]]), _moments(payload, rows), is_known, fractions)
    if payload.get("time"):
        times = times_of(rows[payload["time"]])
        without = int((is_known & times.is_null()).sum())
        notes = [f"{without} rows left out: their time is null"] if without else []
        return assign_times(times, is_known, fractions), notes
    if payload.get("group"):
        groups, is_drawn = group_of(rows[payload["group"]]), bool(payload.get("episode"))
        return assign_groups(groups, is_known, fractions, payload["seed"], is_drawn=is_drawn), []
    is_stratified = payload.get("stratify", True)
    is_found = payload.get("task") in _FOUND
    strata = target.is_not_null().replace_strict({True: "known", False: None}) if is_found else target
    return assign(strata_of(strata), fractions, payload["seed"], stratify=is_stratified), []


def _is_by_group(payload: Mapping[str, Any]) -> bool:
    """Tell whether groups lie in one part, which series do not."""
    return bool(payload.get("group")) and payload.get("task") != FORECASTING


def _moments(payload: Mapping[str, Any], rows: pl.DataFrame) -> pl.Series:
    """Return when each row was; a row of a list, or an episode, when the last one of it was."""
    times = times_of(rows[payload["time"]])
    is_whole = payload.get("task") == RANKING or payload.get("episode")
    return list_moments(times, group_of(rows[payload["group"]])) if is_whole else times


def _carried(payload: Mapping[str, Any], rows: pl.DataFrame, target: pl.Series, identity: pl.Series) -> pl.Series:
    """Return the part of each row of a split with a base."""
    new_rows = payload.get("new_rows", "train")
    carried = carry_over(identity, payload["base"], new_rows)
    parts = release(identity, carried, payload.get("returned"), new_rows)
    parts = pl.select(pl.when(target.is_null()).then(pl.lit("none")).otherwise(parts)).to_series().alias("part")
    if payload.get("group"):
        base = pl.read_parquet(payload["base"], columns=["identity"])["identity"]
        is_new = ~identity.is_in(base.to_list()) | (parts != carried)  # a row that came back stays with its group
        parts = keep_groups(group_of(rows[payload["group"]]), parts, is_new)
    return parts


def _checked(payload: Mapping[str, Any], rows: pl.DataFrame, identity: pl.Series, parts: pl.Series) -> list[str]:
    """Refuse groups in two parts, unless they are series; return what else leaks from one part into another."""
    if _is_by_group(payload):
        check_groups(group_of(rows[payload["group"]]), parts)
    notes = leaks(identity, parts)
    return [*notes, *out_of_order(_moments(payload, rows), parts)] if payload.get("time") else notes


def check_fractions(fractions: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each part, or refuse shares that are not 1 in sum.

    Examples
    --------
    >>> check_fractions({"train": 0.7, "validation": 0.1, "test": 0.2})["future"]
    0.0
    """
    unknown = sorted(set(fractions) - set(PARTS))
    if unknown:
        raise Invalid(f"there is no part {unknown[0]!r}", field="fractions", value=unknown[0], allowed=list(PARTS))
    whole = {part: float(fractions.get(part, 0.0)) for part in PARTS}
    if min(whole.values()) < 0 or abs(sum(whole.values()) - 1) > 1e-6:  # noqa: PLR2004 rounding
        raise Invalid("the fractions must be 1 in sum", field="fractions", value=dict(fractions), allowed="sum 1")
    if min(whole[part] for part in ("train", "validation", "test")) == 0:
        raise Invalid("train, validation and test need rows", field="fractions", value=dict(fractions))
    return whole


def carry_over(identity: pl.Series, base: str, new_rows: str) -> pl.Series:
    """Give rows the part that they have in an earlier split, and new rows the part for new rows."""
    if new_rows not in PARTS:
        raise Invalid(f"there is no part {new_rows!r}", field="new_rows", value=new_rows, allowed=list(PARTS))
    known = pl.read_parquet(base, columns=["identity", "part"]).unique("identity", keep="first", maintain_order=True)
    joined = pl.DataFrame({"identity": identity}).join(known, on="identity", how="left", maintain_order="left")
    return joined["part"].fill_null(new_rows)


def release(identity: pl.Series, parts: pl.Series, returned: Mapping[str, str] | None, new_rows: str) -> pl.Series:
    """Give rows that were put aside, and whose keys came back with their truth, the part for new rows."""
    if returned is None:
        return parts
    known = pl.read_parquet(returned["path"], columns=[returned["column"]])[returned["column"]].cast(pl.String)
    came = identity.is_in(known.drop_nulls().unique().to_list()) & parts.is_in(_ASIDE)
    return pl.select(pl.when(came).then(pl.lit(new_rows)).otherwise(parts)).to_series().alias("part")


def check_classes(target: pl.Series, parts: pl.Series) -> None:
    """Refuse a split whose train, validation or test part lacks a class, or has one alone."""
    counts = pl.DataFrame({"part": parts, "class": target}).group_by("part", "class").len()
    classes = set(target.drop_nulls().to_list())
    for part in ("train", "validation", "test"):
        missing = sorted(classes - set(counts.filter(pl.col("part") == part)["class"].to_list()))
        if missing:
            raise Unlearnable(
                f"class {missing[0]!r} has too few rows: none falls into {part!r}",
                field="target",
                value=missing[0],
                hint="collect more rows of this class, or leave its rows out",
            )


def _write(file: Path, parts: pl.Series, target: pl.Series, identity: pl.Series, notes: list[str]) -> dict[str, Any]:
    rows = pl.Series("row", np.arange(len(parts), dtype=np.uint32))
    frame = pl.DataFrame([rows, parts.alias("part"), identity])
    frame.write_parquet(file, compression="zstd", statistics=False)
    with file.open("rb") as stream:
        digest = file_digest(stream, "sha256").hexdigest()
    counted = frame.group_by("part").len().sort("part")
    unlabelled = target.null_count()
    unknown = [f"{unlabelled} rows left out: their target is null"] if unlabelled else []
    return {
        "file": file.name,
        "sha256": digest,
        "rows": len(parts),
        "counts": dict(counted.iter_rows()),
        "classes": {} if target.dtype.is_numeric() else _by_class(frame, target),
        "notes": [*unknown, *notes],
    }


def _by_class(frame: pl.DataFrame, target: pl.Series) -> dict[str, dict[str, int]]:
    named = frame.with_columns(target.alias("class"))
    named = named.explode("class") if target.dtype == pl.List else named
    counted = named.group_by("part", "class").len().sort("part", "class")
    classes: dict[str, dict[str, int]] = {}
    for part, name, count in counted.drop_nulls("class").iter_rows():
        classes.setdefault(part, {})[name] = count
    return classes
