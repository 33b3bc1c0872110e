"""Bring a file into a dataset: the steps that a program would otherwise take one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from aimass.client.generated.collector_types import Collection, ColumnPlan, Source
from aimass.client.generated.groups import Groups
from aimass.client.generated.lake_types import DatasetVersion
from aimass.client.request import API
from aimass.kernel.errors import Failed, Invalid, NotFound
from aimass.kernel.names import slug_of

_CHUNK = 1 << 20
_POLL_S = 0.15


def silent(fraction: float, note: str) -> None:
    """Tell nobody of the progress."""
    del fraction, note


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectOptions:
    """How a file is brought in.

    Attributes
    ----------
    types
        Column to type, over what is proposed.
    reading
        How the file is written, over what would be guessed: ``format``, ``sheet``, ``record_path``, ``widths``, ...
    keys
        Columns that name a row, when the dataset is made.
    mode
        ``append`` or ``replace``, when the source is made.
    progress
        Called with a share of the whole and a note.
    """

    types: Mapping[str, str] = field(default_factory=dict[str, str])
    reading: Mapping[str, Any] = field(default_factory=dict[str, Any])
    keys: list[str] = field(default_factory=list[str])
    mode: str = "append"
    progress: Callable[[float, str], None] = silent


def collect_file(client: Groups, path: Path, dataset: str, options: CollectOptions) -> DatasetVersion:
    """Upload, pin and collect a file; the same file again is the same version."""
    uploaded = upload(client, path)
    options.progress(0.2, "types")
    source = _source(client, dataset, options)
    if not source.plan.get("columns"):
        _pin(client, source, path, uploaded, options)
    started = client.collector.start_collection(source=source.slug, upload=uploaded["upload"], filename=path.name)
    done = _wait(client, started, options)
    return client.lake.get_version(dataset=done.dataset, number=done.dataset_version)


def upload(client: Any, path: Path) -> dict[str, Any]:
    """Send a file; what the platform stores must have the hash of what was read."""
    sent: list[Any] = []

    def chunks() -> Iterator[bytes]:
        sent.append(sha256())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                sent[-1].update(chunk)
                yield chunk

    address = f"{API}/workspaces/{quote(str(client.workspace), safe='')}/uploads?{urlencode({'filename': path.name})}"
    answer = client.transport.upload(address, chunks, {"Content-Type": "application/octet-stream"})
    if answer["upload"] != sent[-1].hexdigest():
        raise Failed("the upload arrived damaged", hint="send it again")
    return answer


def _source(client: Groups, dataset: str, options: CollectOptions) -> Source:
    try:
        return client.collector.get_source(source=slug_of(dataset))
    except NotFound:
        return client.collector.create_source(name=dataset, keys=options.keys, mode=options.mode)  # pyright: ignore[reportArgumentType]


def _pin(client: Groups, source: Source, path: Path, uploaded: dict[str, Any], options: CollectOptions) -> None:
    given = dict(options.reading)
    proposal = client.collector.propose_types(upload=uploaded["upload"], filename=path.name, given=given)
    unknown = sorted(set(options.types) - {c.name for c in proposal.columns})
    if unknown:
        allowed = [c.name for c in proposal.columns]
        raise Invalid(f"{path.name!r} has no column {unknown[0]!r}", field="types", value=unknown[0], allowed=allowed)
    columns = [
        ColumnPlan(name=c.name, type=options.types.get(c.name, c.type), nullable=c.nullable)  # pyright: ignore[reportArgumentType]
        for c in proposal.columns
    ]
    client.collector.pin_types(
        source=source.slug,
        columns=columns,
        format=proposal.format,  # pyright: ignore[reportArgumentType]
        delimiter=proposal.delimiter,
        quote=proposal.quote,
        encoding=proposal.encoding,
        header=proposal.header,
        null_values=proposal.null_values,
        sheet=proposal.sheet,
        skip_rows=proposal.skip_rows,
        record_path=proposal.record_path,
        widths=proposal.widths,
        sample_rate=proposal.sample_rate,
        clip_ms=proposal.clip_ms,
        width=proposal.width,
        height=proposal.height,
        channels=proposal.channels,  # pyright: ignore[reportArgumentType]
        fit=proposal.fit,  # pyright: ignore[reportArgumentType]
    )


def _wait(client: Groups, started: Collection, options: CollectOptions) -> Collection:
    while True:
        found = client.collector.get_collection(collection=started.id)
        if found.state == "SUCCEEDED":
            options.progress(1.0, f"{found.rows} rows")
            return found
        if found.state != "RUNNING":
            error = found.error or {}
            raise Failed(
                str(error.get("detail") or f"the collection {found.state.lower()}"), hint=str(error.get("hint", ""))
            )
        if found.job:
            job = client.cluster.get_job(job=found.job)
            options.progress(0.2 + 0.8 * (job.progress.fraction or 0.0), job.progress.stage or "waits")
        time.sleep(_POLL_S)
