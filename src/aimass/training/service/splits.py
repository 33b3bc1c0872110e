"""Splits: made by a job, kept as a blob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aimass.cluster import SubmitJob
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, decode_number, encode_cursor, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.training.domain.splits import CreateSplit, ListSplitRows, ListSplits, OneSplit, Split
from aimass.training.domain.words import SPLIT
from aimass.training.events import SPLIT_CREATED, SPLIT_FAILED, SPLIT_READY
from aimass.training.service.ground import Located, Part, need_split
from aimass.training.service.together import check_episode_columns, discount_of
from aimass.training.store import add, put, split_by_key, splits_page
from aimass.training.tables import splits
from aimass.training.tasks import TASKS, find_task

SPLIT_FILE = "split.parquet"
_ROWS = "aimass.training.children.sources:split_rows"
_ROWS_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """Rows that came back with their truth: the keys in a column of a Parquet file."""

    path: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """Keys of the rows that choose and judge models: ``column``, where ``by`` is one of ``chosen``, in a Parquet file."""

    path: str
    column: str = "identity"
    by: str = "part"
    chosen: tuple[str, ...] = ("validation", "test")


class Splits(Part):
    """Which row is for training, for choosing, for judging, and for later."""

    @use_case(
        "POST /workspaces/{workspace}/splits",
        permission="training.edit",
        cli="train split",
        status=202,
        progress="training.get_split",
    )
    def create_split(self, who: Principal, command: CreateSplit) -> Split:
        """Split a dataset version into train, validation, test and future rows: by a seed, by groups, by time, or by both."""
        return self.split_again(who, command, None)

    def split_again(self, who: Principal, command: CreateSplit, returned: Returned | None) -> Split:
        """Split on behalf of somebody whose right was checked; rows of ``future`` that have returned go to the new rows."""
        _check_columns(command)
        location = self._ground.locate(who, command.workspace, command.dataset, command.dataset_version)
        with self._database.change(who, command.workspace) as change:
            known = split_by_key(change.conn, command.workspace, command.key) if command.key else None
            if known is not None:
                return known
            payload = _payload(command, location, self._base(change, command))
            payload["returned"] = None if returned is None else asdict(returned)
            id_ = new_id()
            add(change, splits, _row(change, id_, command, location))
            title = f"Split {command.dataset} version {location.number}"
            wish = SubmitJob(
                workspace=command.workspace, kind=SPLIT, title=title, payload=payload, key=id_, subject=f"split:{id_}"
            )
            job = self._ground.jobs.enqueue(change, wish)
            put(change, splits, id_, job=job.id)
            subject = f"split:{id_}"
            detail = {"dataset": command.dataset, "version": location.number, "seed": command.seed}
            change.audit("training.split.create", object_=subject, detail=detail)
            change.event(SPLIT_CREATED, subject=subject, data=detail)
            change.edge(src=("dataset_version", location.version_id), dst=("split", id_), via=SPLIT)
            return need_split(change.conn, command.workspace, id_)

    def _base(self, change: Change, command: CreateSplit) -> str | None:
        if command.base is None:
            return None
        base = need_split(change.conn, command.workspace, command.base, field="base")
        if base.sha256 is None:
            raise Conflict(f"split {base.id!r} is {base.state}", field="base", value=base.state, allowed="READY")
        if (base.dataset, base.key_column) != (command.dataset, command.key_column):
            raise Invalid(
                "the base splits another dataset, or names rows by another column",
                field="base",
                value=command.base,
                allowed={"dataset": base.dataset, "key_column": base.key_column},
            )
        return str(self._ground.blobs.path(base.sha256))

    @use_case("GET /workspaces/{workspace}/splits", permission="training.read", cli="train splits")
    def list_splits(self, who: Principal, command: ListSplits) -> Page[Split]:
        """List splits, newest first."""
        del who
        with self._database.read() as conn:
            return page_of(splits_page(conn, command), command.limit, lambda split: split.id)

    @use_case("GET /workspaces/{workspace}/splits/{split}", permission="training.read", cli="train show-split")
    def get_split(self, who: Principal, command: OneSplit) -> Split:
        """Show a split with its rows by part and class."""
        del who
        with self._database.read() as conn:
            return need_split(conn, command.workspace, command.split)

    def judges(self, workspace: str, split: str) -> Judges:
        """Return the keys of the rows that choose and judge models, for rooms that checked the right themselves."""
        with self._database.read() as conn:
            found = need_split(conn, workspace, split)
        if found.sha256 is None:
            raise Conflict(f"split {found.id!r} is {found.state}", field="split", value=found.state, allowed="READY")
        return Judges(path=str(self._ground.blobs.path(found.sha256)))

    @use_case("GET /workspaces/{workspace}/splits/{split}/rows", permission="training.use", cli="train split-rows")
    def list_split_rows(self, who: Principal, command: ListSplitRows) -> Page[str]:
        """List what names the rows of one part: the values of the key column, or hashes of the rows."""
        with self._database.read() as conn:
            found = need_split(conn, command.workspace, command.split)
        if found.sha256 is None:
            raise Conflict(f"split {found.id!r} is {found.state}", field="split", value=found.state, allowed="READY")
        if found.created_by != who.id:
            self._ground.need_whole(who, command.workspace, found.dataset, "the rows of a split")
        offset = decode_number(command.cursor) if command.cursor else 0
        args = {"file": str(self._ground.blobs.path(found.sha256)), "part": command.part, "offset": offset}
        told = self._ground.warm.call(_ROWS, {**args, "limit": command.limit}, timeout_s=_ROWS_S)
        end = offset + len(told["rows"])
        return Page(items=told["rows"], next=encode_cursor(str(end)) if end < told["total"] else None)

    def split_done(self, workspace: str, split: str, result: Mapping[str, Any], outputs: Path) -> None:
        """Keep the file of a split; repeating it changes nothing."""
        blob = self._ground.blobs.put((outputs / SPLIT_FILE).read_bytes())
        with self._database.change(SYSTEM, workspace) as change:
            if need_split(change.conn, workspace, split).state != "PENDING":
                return
            values = {name: result[name] for name in ("counts", "classes", "notes", "task")}
            values |= {"texts": list(result.get("texts", ())), "lists": dict(result.get("lists", {}))}
            values["horizon"] = result.get("horizon")
            put(change, splits, split, state="READY", sha256=blob.sha256, **values)
            change.event(SPLIT_READY, subject=f"split:{split}", data={"sha256": blob.sha256, "rows": result["rows"]})

    def split_failed(self, workspace: str, split: str, error: Mapping[str, Any] | None) -> None:
        """Note that a split could not be made."""
        with self._database.change(SYSTEM, workspace) as change:
            if need_split(change.conn, workspace, split).state != "PENDING":
                return
            put(change, splits, split, state="FAILED", error=dict(error or {}))
            change.event(SPLIT_FAILED, subject=f"split:{split}", data={"code": (error or {}).get("code")})


def _check_columns(command: CreateSplit) -> None:
    """Refuse columns that cannot play two parts."""
    task = None if command.task is None else find_task(command.task)
    if not command.target and (task is None or task.needs_target):
        free = [one.name for one in TASKS.values() if not one.needs_target]
        raise Invalid(
            "name the column to predict",
            field="target",
            value=command.target,
            hint=f"a split for {', '.join(free)} needs none",
        )
    if task is not None and task.needs_group and not command.group_column:
        raise Invalid(
            f"a split for {task.name} needs the column whose rows are one list",
            field="group_column",
            value=command.group_column,
            hint="name the column of the query, the session or the customer",
        )
    if task is not None and task.is_windowed:
        _check_series(command)
    elif command.horizon is not None:
        raise Invalid("only forecasts look steps ahead", field="horizon", value=command.horizon, allowed=None)
    elif command.known_ahead or command.past:
        field = "known_ahead" if command.known_ahead else "past"
        raise Invalid(
            "only forecasts have columns that are known ahead, or of the past alone",
            field=field,
            value=getattr(command, field),
            hint="name the columns to learn from with features, or the task forecasting",
        )
    elif command.group_column and command.group_column == command.time_column:
        raise Invalid("the group and the time are two columns", field="time_column", value=command.time_column)
    if command.label_separator and task is not None and not task.is_of_sets:
        raise Invalid(
            f"a split for {task.name} cuts no text into labels",
            field="label_separator",
            value=command.label_separator,
            allowed=None,
            hint="name the task multilabel, or leave the separator out",
        )
    _check_decisions(command, needs_action=task is not None and task.needs_action)
    check_episode_columns(command)
    for field in ("key_column", "group_column", "time_column", "action_column", "propensity_column"):
        if getattr(command, field) == command.target:
            raise Invalid("the target cannot be this column too", field=field, value=command.target)


def _check_decisions(command: CreateSplit, *, needs_action: bool) -> None:
    """Refuse a policy without the column of the action, and such columns for anything else."""
    if needs_action and not command.action_column:
        raise Invalid(
            "a policy needs the column of the action that was taken",
            field="action_column",
            value=command.action_column,
            hint="the target is what came of it: the reward",
        )
    for field in ("action_column", "propensity_column"):
        if getattr(command, field) and not needs_action:
            raise Invalid(
                "only a policy has a column for what was decided",
                field=field,
                value=getattr(command, field),
                hint="split for the task policy, or leave it out",
            )
    if command.action_column and command.action_column == command.propensity_column:
        raise Invalid(
            "the action and its chance are two columns", field="propensity_column", value=command.propensity_column
        )


def _check_series(command: CreateSplit) -> None:
    """Refuse a split that cannot be one of series: the earliest moments are for training, and a question is many rows."""
    if not command.time_column:
        raise Invalid("forecasting needs the column of the time", field="time_column", hint="name it")
    if command.key_column:
        raise Invalid(
            "a forecast is asked with many rows, which no key names",
            field="key_column",
            value=command.key_column,
            hint="leave it out; group_column names the series",
        )
    if command.base:
        raise Invalid(
            "parts of series follow each other in time, so those of an earlier split cannot be kept",
            field="base",
            value=command.base,
            hint="make the split without a base: its newest moments judge, and no model has seen them",
        )
    _check_beside(command)


def _check_beside(command: CreateSplit) -> None:
    """Refuse columns beside the target that are part of the series, or named twice."""
    taken = {command.target, command.time_column, command.group_column}
    for field in ("known_ahead", "past"):
        names: list[str] = getattr(command, field) or []
        odd = [name for place, name in enumerate(names) if name in taken or name in names[:place]]
        if odd:
            raise Invalid(
                f"column {odd[0]!r} is part of the series already, or named twice",
                field=field,
                value=odd[0],
                hint="name the columns beside target, time and series, each once",
            )


def _payload(command: CreateSplit, location: Located, base: str | None) -> dict[str, Any]:
    return {
        "dataset": {"path": location.path, "version": location.delta_version},
        "target": command.target,
        "task": command.task,
        "key": command.key_column,
        "group": command.group_column or command.episode_column,
        "time": command.time_column,
        "horizon": command.horizon,
        "separator": command.label_separator,
        "action": command.action_column,
        "propensity": command.propensity_column,
        "episode": command.episode_column,
        "step": command.step_column,
        "discount": discount_of(command),
        "known_ahead": list(command.known_ahead or ()),
        "past": list(command.past or ()),
        "fractions": dict(command.fractions),
        "seed": command.seed,
        "stratify": command.stratify,
        "base": base,
        "new_rows": command.new_rows,
    }


def _row(change: Change, id_: str, command: CreateSplit, location: Located) -> dict[str, Any]:
    return {
        "id": id_,
        "workspace": command.workspace,
        "key": command.key or id_,
        "dataset": command.dataset,
        "dataset_version": location.number,
        "target": command.target,
        "task": command.task,
        "key_column": command.key_column,
        "group_column": command.group_column,
        "time_column": command.time_column,
        "horizon": command.horizon,
        "label_separator": command.label_separator,
        "action_column": command.action_column,
        "propensity_column": command.propensity_column,
        "episode_column": command.episode_column,
        "step_column": command.step_column,
        "discount": discount_of(command),
        "known_ahead": list(command.known_ahead or ()),
        "past": list(command.past or ()),
        "fractions": dict(command.fractions),
        "seed": command.seed,
        "stratify": command.stratify,
        "base": command.base,
        "state": "PENDING",
        "counts": {},
        "classes": {},
        "sha256": None,
        "notes": [],
        "texts": [],
        "lists": {},
        "error": None,
        "job": None,
        "created_by": change.who.id,
        "created_at": change.now,
        "version": 1,
    }
