"""Queries of the room training."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, delete, func, insert, or_, select, update

from aimass.infra.database import Change
from aimass.kernel.errors import Invalid
from aimass.kernel.pages import decode_cursor, decode_number
from aimass.training.domain.evaluations import Evaluation
from aimass.training.domain.experiments import Experiment, ListExperiments
from aimass.training.domain.runs import Artifact, ListRuns, Point, Run, RunPackage
from aimass.training.domain.splits import ListSplits, Split
from aimass.training.domain.studies import OPEN, ListStudies, ListTrials, Objective, Study, Trial
from aimass.training.finding import are_many, facts_of, restricted
from aimass.training.tables import (
    artifacts,
    evaluations,
    experiments,
    facts,
    points,
    runs,
    scores,
    splits,
    studies,
    trials,
)


def values_of(row: Row[Any], *without: str) -> dict[str, Any]:
    """Return a row as a dictionary."""
    values = dict(row._mapping)  # noqa: SLF001 the public name of the mapping view of a row
    return {name: value for name, value in values.items() if name not in without}


def add(change: Change, table: Table, values: Mapping[str, Any]) -> None:
    """Write a new row."""
    change.execute(insert(table).values(**values))


def put(change: Change, table: Table, id_: str, **values: Any) -> None:
    """Change a row."""
    change.execute(update(table).where(table.c.id == id_).values(version=table.c.version + 1, **values))


def find_experiment(conn: Connection, workspace: str, slug: str) -> Experiment | None:
    """Return an experiment."""
    query = select(experiments).where(experiments.c.workspace == workspace, experiments.c.slug == slug)
    row = conn.execute(query).first()
    return None if row is None else _experiments(conn, workspace, [row])[0]


def experiments_page(conn: Connection, command: ListExperiments) -> Sequence[Experiment]:
    """Return one experiment more than the page wants, newest first."""
    query = select(experiments).where(experiments.c.workspace == command.workspace, experiments.c.deleted_at.is_(None))
    if command.cursor:
        query = query.where(experiments.c.id < decode_cursor(command.cursor))
    rows = conn.execute(query.order_by(experiments.c.id.desc()).limit(command.limit + 1)).all()
    return _experiments(conn, command.workspace, rows)


def _experiments(conn: Connection, workspace: str, rows: Sequence[Row[Any]]) -> list[Experiment]:
    query = select(runs.c.experiment, func.count().label("number")).where(runs.c.workspace == workspace)
    query = query.where(runs.c.experiment.in_([row.slug for row in rows]), runs.c.deleted_at.is_(None))
    counted = {row.experiment: row.number for row in conn.execute(query.group_by(runs.c.experiment))}
    return [Experiment(runs=counted.get(row.slug, 0), **values_of(row, "deleted_at")) for row in rows]


def retire_experiment(change: Change, experiment: Experiment) -> None:
    """Delete an experiment and its runs softly; the slug is free again."""
    gone = f"~{experiment.id}"
    where = (runs.c.workspace == experiment.workspace, runs.c.experiment == experiment.slug)
    fresh = {"experiment": gone, "deleted_at": change.now}
    change.execute(update(runs).where(*where, runs.c.deleted_at.is_(None)).values(**fresh))
    put(change, experiments, experiment.id, slug=gone, deleted_at=change.now)


def _split(row: Row[Any]) -> Split:
    values = values_of(row, "key")
    lists = {name: tuple(values.pop(name)) for name in ("notes", "texts", "known_ahead", "past")}
    return Split(**lists, **values)


def find_split(conn: Connection, workspace: str, split: str) -> Split | None:
    """Return a split."""
    row = conn.execute(select(splits).where(splits.c.workspace == workspace, splits.c.id == split)).first()
    return None if row is None else _split(row)


def split_by_key(conn: Connection, workspace: str, key: str) -> Split | None:
    """Return the split that was made under a key."""
    row = conn.execute(select(splits).where(splits.c.workspace == workspace, splits.c.key == key)).first()
    return None if row is None else _split(row)


def splits_page(conn: Connection, command: ListSplits) -> Sequence[Split]:
    """Return one split more than the page wants, newest first."""
    query = select(splits).where(splits.c.workspace == command.workspace)
    if command.dataset:
        query = query.where(splits.c.dataset == command.dataset)
    if command.cursor:
        query = query.where(splits.c.id < decode_cursor(command.cursor))
    return [_split(row) for row in conn.execute(query.order_by(splits.c.id.desc()).limit(command.limit + 1))]


def _run(row: Row[Any]) -> Run:
    values = values_of(row, "key", "deleted_at", "sorted_by", "sampled")
    package, features = values.pop("package"), values.pop("features")
    return Run(
        package=None if package is None else RunPackage(**package),
        features=None if features is None else tuple(features),
        notes=tuple(values.pop("notes")),
        **values,
    )


def find_run(conn: Connection, workspace: str, run: str) -> Run | None:
    """Return a run."""
    query = select(runs).where(runs.c.workspace == workspace, runs.c.id == run, runs.c.deleted_at.is_(None))
    row = conn.execute(query).first()
    return None if row is None else _run(row)


def run_by_key(conn: Connection, workspace: str, key: str) -> Run | None:
    """Return the run that was started under a key."""
    query = select(runs).where(runs.c.workspace == workspace, runs.c.key == key, runs.c.deleted_at.is_(None))
    row = conn.execute(query).first()
    return None if row is None else _run(row)


def runs_in_state(conn: Connection, state: str) -> list[Run]:
    """Return runs of every workspace in a state, oldest first."""
    query = select(runs).where(runs.c.state == state, runs.c.deleted_at.is_(None))
    return [_run(row) for row in conn.execute(query.order_by(runs.c.id).limit(500))]


def runs_page(conn: Connection, command: ListRuns) -> list[tuple[Run, str]]:
    """Return one run more than the page wants, each with its sort key."""
    query: Select[Any] = select(runs).where(runs.c.deleted_at.is_(None))
    are_few = False
    if command.where:
        query, are_few = restricted(conn, query, command.where)
    by_score = command.sort is not None and not are_few and are_many(conn, command.workspace, command.experiment)
    for name in ("workspace", "experiment", "recipe", "task", "state", "split", "dataset"):
        if (wanted := getattr(command, name)) is not None:
            # an index of this column would lead to all of them, who then have to be sorted
            query = query.where((func.coalesce(runs.c[name], "") if by_score else runs.c[name]) == wanted)
    if command.sort is None:
        if command.cursor:
            query = query.where(runs.c.id < decode_cursor(command.cursor))
        rows = conn.execute(query.order_by(runs.c.id.desc()).limit(command.limit + 1)).all()
        return [(_run(row), row.id) for row in rows]
    rows = conn.execute(_sorted(query, command).limit(command.limit + 1)).all()
    return [(_run(row), f"{row.sorted_by!r}|{row.id}") for row in rows]


def _sorted(query: Select[Any], command: ListRuns) -> Select[Any]:
    """Sort by a metric, then by id, and go on behind the cursor."""
    value = scores.c.value
    query = query.add_columns(value.label("sorted_by"))
    query = query.join(scores, and_(scores.c.run == runs.c.id, scores.c.name == command.sort))
    if command.cursor:
        last, _, id_ = decode_cursor(command.cursor).partition("|")
        try:
            number = float(last)
        except ValueError as reason:
            raise Invalid("the cursor is damaged", field="cursor", value=command.cursor) from reason
        beyond = value > number if command.ascending else value < number
        query = query.where(or_(beyond, and_(value == number, runs.c.id < id_)))
    return query.order_by(value.asc() if command.ascending else value.desc(), runs.c.id.desc())


def add_run(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new run, and what it is found by."""
    add(change, runs, values)
    put_facts(change, values["id"], values["params"], values["tags"])


def put_facts(change: Change, run: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Write down what a run is found by."""
    change.execute(delete(facts).where(facts.c.run == run))
    told = facts_of(params, tags).items()
    rows = [{"run": run, "name": name, "text": text, "number": number} for name, (text, number) in told]
    if rows:
        change.execute(insert(facts), rows)


def put_results(
    change: Change, run: str, metrics: Mapping[str, float], history: Iterable[tuple[str, int, float]]
) -> None:
    """Write last values and histories of the metrics of a run; of a step that was told twice the last value counts."""
    change.execute(delete(scores).where(scores.c.run == run))
    change.execute(delete(points).where(points.c.run == run))
    last = [{"run": run, "name": name, "value": value} for name, value in metrics.items()]
    told = {(name, step): value for name, step, value in history}
    every = [{"run": run, "name": name, "step": step, "value": value} for (name, step), value in told.items()]
    if last:
        change.execute(insert(scores), last)
    if every:
        change.execute(insert(points), every)


def points_of(conn: Connection, run: str, metric: str) -> list[Point]:
    """Return the history of a metric."""
    query = select(points.c.step, points.c.value).where(points.c.run == run, points.c.name == metric)
    return [Point(step=row.step, value=row.value) for row in conn.execute(query.order_by(points.c.step))]


def metric_names(conn: Connection, run: str) -> list[str]:
    """Return the metrics of a run that have a history."""
    query = select(points.c.name).where(points.c.run == run).distinct().order_by(points.c.name)
    return list(conn.execute(query).scalars())


def put_artifacts(change: Change, owner: str, found: Iterable[Artifact]) -> None:
    """Note the files that a run, or an evaluation, left."""
    for artifact in found:
        where = (artifacts.c.run == owner, artifacts.c.name == artifact.name)
        change.execute(delete(artifacts).where(*where))
        row = {"run": owner, "name": artifact.name, "sha256": artifact.sha256, "size": artifact.size}
        change.execute(insert(artifacts).values(**row))


def artifacts_of(conn: Connection, owner: str) -> list[Artifact]:
    """Return the files that a run, or an evaluation, left."""
    query = select(artifacts).where(artifacts.c.run == owner).order_by(artifacts.c.name)
    return [Artifact(**values_of(row, "run")) for row in conn.execute(query)]


def _evaluation(row: Row[Any]) -> Evaluation:
    values = values_of(row)
    interval = values.pop("interval")
    if interval is None:  # an evaluation from before there were other tasks
        interval = {"metric": "roc_auc", **values["auc"]} if values["auc"] else {}
    return Evaluation(notes=tuple(values.pop("notes")), interval=interval, **values)


def find_evaluation(conn: Connection, run: str, part: str) -> Evaluation | None:
    """Return the evaluation of a run on a part."""
    row = conn.execute(select(evaluations).where(evaluations.c.run == run, evaluations.c.part == part)).first()
    return None if row is None else _evaluation(row)


def evaluation_by_id(conn: Connection, id_: str) -> Evaluation | None:
    """Return an evaluation."""
    row = conn.execute(select(evaluations).where(evaluations.c.id == id_)).first()
    return None if row is None else _evaluation(row)


def evaluations_of(conn: Connection, run: str) -> list[Evaluation]:
    """Return the evaluations of a run."""
    query = select(evaluations).where(evaluations.c.run == run).order_by(evaluations.c.id)
    return [_evaluation(row) for row in conn.execute(query)]


def find_study(conn: Connection, workspace: str, slug: str, now: datetime) -> Study | None:
    """Return a study."""
    query = select(studies).where(studies.c.workspace == workspace, studies.c.slug == slug)
    row = conn.execute(query.where(studies.c.deleted_at.is_(None))).first()
    return None if row is None else _studies(conn, [row], now)[0]


def studies_page(conn: Connection, command: ListStudies, now: datetime) -> list[Study]:
    """Return one study more than the page wants, newest first."""
    query = select(studies).where(studies.c.workspace == command.workspace, studies.c.deleted_at.is_(None))
    for name in ("state", "recipe"):
        if getattr(command, name) is not None:
            query = query.where(studies.c[name] == getattr(command, name))
    if command.cursor:
        query = query.where(studies.c.id < decode_cursor(command.cursor))
    return _studies(conn, conn.execute(query.order_by(studies.c.id.desc()).limit(command.limit + 1)).all(), now)


def studies_at_work(conn: Connection, now: datetime) -> list[Study]:
    """Return the studies of every workspace that run, or have a trial without an end; oldest first."""
    unended = select(trials.c.study).where(trials.c.state.in_(OPEN))
    query = select(studies).where(or_(studies.c.state == "RUNNING", studies.c.id.in_(unended)))
    return _studies(conn, conn.execute(query.order_by(studies.c.id)).all(), now)


def _studies(conn: Connection, rows: Sequence[Row[Any]], now: datetime) -> list[Study]:
    query = select(trials.c.study, trials.c.state, func.count().label("number"))
    query = query.where(trials.c.study.in_([row.id for row in rows])).group_by(trials.c.study, trials.c.state)
    counted: dict[str, dict[str, int]] = {}
    for row in conn.execute(query):
        counted.setdefault(row.study, {})[row.state] = row.number
    return [_study(row, counted.get(row.id, {}), now) for row in rows]


def _study(row: Row[Any], counts: Mapping[str, int], now: datetime) -> Study:
    values = values_of(row, "deleted_at", "since", "fresh_from")
    features = values.pop("features")
    ended = sum(number for state, number in counts.items() if state not in OPEN)
    values["spent_s"] += (now - row.since).total_seconds() if row.since else 0.0
    return Study(
        features=None if features is None else tuple(features),
        objectives=tuple(Objective(**objective) for objective in values.pop("objectives")),
        best=tuple(values.pop("best")),
        counts=counts,
        fraction=1.0 if row.state == "FINISHED" else ended / row.trials,
        stage=f"{ended} of {row.trials} trials",
        **values,
    )


def trials_of(
    conn: Connection, study: str, states: Sequence[str] | None = None, *, numbers: Collection[int] | None = None
) -> list[Trial]:
    """Return the trials of a study in their order, of some states, or by their numbers."""
    query = select(trials).where(trials.c.study == study)
    if states is not None:
        query = query.where(trials.c.state.in_(states))
    if numbers is not None:
        query = query.where(trials.c.number.in_(numbers))
    return [_trial(row) for row in conn.execute(query.order_by(trials.c.number))]


def ends_of(conn: Connection, study: str) -> Sequence[Any]:
    """Return number, state, end and error of the trials of a study: all that tells whether it is over."""
    columns = (trials.c.number, trials.c.state, trials.c.ended_at, trials.c.error)
    return conn.execute(select(*columns).where(trials.c.study == study).order_by(trials.c.number)).all()


def _trial(row: Row[Any]) -> Trial:
    values = values_of(row, "study", "judged", "attrs")
    found = values.pop("values")
    steps = tuple((int(step), float(value)) for step, value in values.pop("steps"))
    return Trial(values=None if found is None else tuple(found), steps=steps, **values)


def trials_page(conn: Connection, study: str, command: ListTrials) -> list[Trial]:
    """Return one trial more than the page wants."""
    query = select(trials).where(trials.c.study == study)
    if command.state is not None:
        query = query.where(trials.c.state == command.state)
    if command.cursor:
        query = query.where(trials.c.number > decode_number(command.cursor))
    return [_trial(row) for row in conn.execute(query.order_by(trials.c.number).limit(command.limit + 1))]


def told_trials(conn: Connection, study: str) -> list[dict[str, Any]]:
    """Return what a sampler and a pruner are told of the trials of a study."""
    columns = ("number", "params", "state", "values", "steps", "judged", "attrs")
    query = select(*(trials.c[name] for name in columns)).where(trials.c.study == study)
    return [values_of(row) for row in conn.execute(query.order_by(trials.c.number))]


def fresh_from(conn: Connection, study: str) -> int:
    """Return the first trial whose failure counts: those before the last resumption are forgiven."""
    return conn.execute(select(studies.c.fresh_from).where(studies.c.id == study)).scalar_one()


def put_trial(change: Change, study: str, number: int, **values: Any) -> None:
    """Change a trial."""
    change.execute(update(trials).where(trials.c.study == study, trials.c.number == number).values(**values))
