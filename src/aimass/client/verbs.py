"""The verbs that a program uses most, over the generated operations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from aimass.client.generated.groups import Groups
from aimass.client.generated.lake_types import Rows, TrainingSet
from aimass.client.generated.lifecycle_types import PipelineRun
from aimass.client.generated.serving_types import Scoring
from aimass.client.request import API
from aimass.client.transport import Transport
from aimass.kernel.errors import Failed, NotFound
from aimass.kernel.names import slug_of

_POLL_S = 0.3
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOrder:
    """What is to be learned and where it is to be served.

    Attributes
    ----------
    parameters
        Further parameters of the template ``release``, for example ``recipes``, ``seed`` or ``least_score``.
    """

    dataset: str
    target: str
    model: str
    endpoint: str
    key_column: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


def release(client: Groups, order: ReleaseOrder, *, timeout_s: float) -> PipelineRun:
    """Run the pipeline from a dataset to a served model, and wait for its end."""
    name = f"{order.model}-release"
    given = {name: getattr(order, name) for name in ("dataset", "target", "model", "endpoint", "key_column")}
    try:
        client.lifecycle.get_pipeline(pipeline=slug_of(name))
    except NotFound:
        client.lifecycle.create_pipeline(name=name, template="release", parameters={**given, **order.parameters})
    run = client.lifecycle.start_run(pipeline=slug_of(name), parameters={**given, **order.parameters})
    return wait_for_run(client, run.id, timeout_s=timeout_s)


def wait_for_run(client: Groups, run: str, *, timeout_s: float) -> PipelineRun:
    """Wait for the end of a pipeline run.

    Raises
    ------
    Failed
        It failed, was cancelled, or did not end in time.
    """
    end = time.monotonic() + timeout_s
    while True:
        found = client.lifecycle.get_run(run=run)
        if found.state == "SUCCEEDED":
            return found
        if found.state != "RUNNING":
            step = next((s for s in found.steps if s.state == "FAILED"), None)
            why = f"{step.title}: {step.error}" if step else found.error
            raise Failed(why or f"run {run} is {found.state.lower()}", hint=step.hint if step else "")
        if time.monotonic() > end:
            raise Failed(f"run {run} did not end within {timeout_s:.0f} s", hint=f"aimass pipelines show {run}")
        time.sleep(_POLL_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringOrder:
    """Which rows are to be scored by what, and where the predictions go.

    Attributes
    ----------
    scorer
        Name of an endpoint; of a model when ``model_version`` or ``alias`` is given.
    parameters
        Further fields of a scoring: ``dataset_version``, ``columns``, ``keep``, ``prefix``, ``mode``, ``record``, ``slots``, ``key``.
    """

    scorer: str
    dataset: str
    to: str
    model_version: int | None = None
    alias: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


def start_scoring(client: Groups, order: ScoringOrder) -> Scoring:
    """Start a scoring without waiting for it."""
    by_model = order.model_version is not None or order.alias is not None
    return client.serving.start_scoring(
        dataset=order.dataset,
        to=order.to,
        endpoint=None if by_model else order.scorer,
        model=order.scorer if by_model else None,
        model_version=order.model_version,
        alias=order.alias,
        **order.parameters,
    )


def wait_for_scoring(
    client: Groups, scoring: str, *, timeout_s: float, progress: Callable[[Scoring], None] | None = None
) -> Scoring:
    """Wait for the end of a scoring.

    Raises
    ------
    Failed
        It failed, was cancelled, or did not end in time.
    """
    end = time.monotonic() + timeout_s
    while True:
        found = client.serving.get_scoring(scoring=scoring)
        if progress is not None:
            progress(found)
        if found.state == "SUCCEEDED":
            return found
        if found.state in ("FAILED", "CANCELLED"):
            error = found.error or {}
            why = error.get("detail") or f"scoring {scoring} was cancelled"
            raise Failed(str(why), hint=str(error.get("hint") or f"aimass jobs log {found.job}"))
        if time.monotonic() > end:
            raise Failed(
                f"scoring {scoring} did not end within {timeout_s:.0f} s", hint=f"aimass scorings show {scoring}"
            )
        time.sleep(_POLL_S)


@dataclass(frozen=True, slots=True)
class DatasetHandle:
    """A dataset as a program sees it."""

    groups: Groups
    transport: Transport
    workspace: str
    slug: str

    def rows(self, limit: int = 1000, number: int | None = None) -> list[dict[str, Any]]:
        """Return some rows as dictionaries."""
        return as_dicts(self.groups.lake.preview_rows(dataset=self.slug, limit=limit, number=number))

    def download(self, path: Path | str, file_format: str = "parquet", number: int | None = None) -> Path:
        """Write a version to a file: csv, parquet, ndjson, avro or xlsx."""
        query = {"format": file_format} | ({"number": number} if number else {})
        base = f"{API}/workspaces/{quote(self.workspace, safe='')}/datasets/{quote(self.slug, safe='')}/file"
        target = Path(path)
        with self.transport.http.stream("GET", f"{base}?{urlencode(query)}") as response:
            self.transport.check(response)
            with target.open("wb") as file:
                for chunk in response.iter_bytes(_CHUNK):
                    file.write(chunk)
        return target

    def to_polars(self, number: int | None = None) -> Any:
        """Return a version as a Polars frame."""
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as folder:
            path = self.download(Path(folder) / "rows.parquet", "parquet", number)
            return import_module("polars").read_parquet(path, memory_map=False)


@dataclass(frozen=True, slots=True)
class FeatureHandle:
    """A feature view as a program sees it."""

    groups: Groups
    slug: str

    def lookup(
        self, entities: Sequence[Mapping[str, Any]], *, features: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Return the newest known features of entities, one dictionary for each in their order.

        Parameters
        ----------
        entities
            Join keys by name, at most 1000 of them.
        features
            Only these; all if absent.
        """
        wanted, names = [dict(entity) for entity in entities], None if features is None else list(features)
        found = self.groups.lake.find_many_features(feature_view=self.slug, entities=wanted, features=names)
        return [one.values for one in found]

    def training_set(self, into: str, *, timeout_s: float = 3600.0, **order: Any) -> TrainingSet:
        """Build a training set by this view, and wait for it.

        Parameters
        ----------
        into
            The dataset that gets it.
        timeout_s
            Longest time to wait.
        order
            ``spine`` or ``entities``, ``event_time``, ``label``, ``views`` (further ones), and what else ``lake.join_features`` takes.

        Raises
        ------
        Failed
            It failed, was cancelled, or did not end in time.
        """
        views = [self.slug, *order.pop("views", [])]
        started = self.groups.lake.join_features(into=into, views=views, **order)
        end = time.monotonic() + timeout_s
        while (found := self.groups.lake.get_training_set(training_set=started.id)).state == "RUNNING":
            if time.monotonic() > end:
                raise Failed(f"training set {started.id} did not end within {timeout_s:.0f} s")
            time.sleep(_POLL_S)
        if found.state != "SUCCEEDED":
            why = (found.error or {}).get("detail") or f"training set {found.id} is {found.state.lower()}"
            raise Failed(str(why), hint=f"aimass jobs log {found.job}")
        return found


def as_dicts(found: Rows) -> list[dict[str, Any]]:
    """Turn rows into dictionaries by column name.

    Examples
    --------
    >>> from aimass.client.generated.lake_types import Field
    >>> as_dicts(Rows(columns=[Field(name="a", type="integer")], rows=[[1], [2]]))
    [{'a': 1}, {'a': 2}]
    """
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]
