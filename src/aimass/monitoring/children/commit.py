"""Closed record segments into the lake: each segment once, each request id once."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from aimass.infra.segments import Segment, read_segment
from aimass.kernel.errors import Invalid
from aimass.kernel.names import check_slug
from aimass.monitoring.children.rows import frame_of
from aimass.monitoring.children.tables import Order, append, committed, exists, lease, scan, schema_of

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_MAX_ID = 300
_NEEDED = {"id": str, "t": (int, float), "workspace": str, "endpoint": str, "status": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """The records of one endpoint in one segment."""

    workspace: str
    endpoint: str
    records: list[dict[str, Any]]

    def path(self, lake: str) -> Path:
        """Return the table of the endpoint."""
        return Path(lake, self.workspace, f"_records-{self.endpoint}")


def commit_segment(args: dict[str, Any]) -> dict[str, Any]:
    """Append the records of one segment to the tables of their endpoints; the same segment again changes nothing.

    Parameters
    ----------
    args
        ``path`` (segment file), ``worker``, ``number``; ``lake`` (folder of all workspaces); ``policies`` by
        ``workspace/endpoint``: ``payload`` (keep inputs and outputs; the gateway leaves them out already, except in segments
        that it wrote before the switch was turned); ``late``: the segment was accounted before, so that only ids decide.

    Returns
    -------
    dict
        ``tables``: per endpoint ``requests`` (those of jobs left out) and ``rows`` (those of shadows left out), ``repeated`` (ids that were there already), ``last`` (newest time)
        and ``traffic`` per deployment revision; ``damage``: places that could not be read.
    """
    segment = read_segment(Path(args["path"]))
    records, damage = _records(segment)
    damage += [{"offset": d.offset, "reason": d.reason} for d in segment.damage]
    batches = _batches(records, args.get("policies") or {})
    return {"tables": [_commit(batch, args) for batch in batches], "damage": damage, "frames": len(segment.payloads)}


def _records(segment: Segment) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    records: list[dict[str, Any]] = []
    damage: list[dict[str, Any]] = []
    for index, payload in enumerate(segment.payloads):
        try:
            record = orjson.loads(payload)
            _check(record)
        except (ValueError, TypeError, Invalid) as reason:
            damage.append({"offset": index, "reason": f"frame {index} holds no record: {reason}"[:300]})
        else:
            records.append(record)
    return records, damage


def _check(record: Any) -> None:
    if not isinstance(record, dict):
        raise TypeError("no JSON object")
    for name, kind in _NEEDED.items():
        if not isinstance(record.get(name), kind):
            raise TypeError(f"{name} is missing or has a wrong type")
    check_slug(record["workspace"], field="workspace")
    check_slug(record["endpoint"], field="endpoint")
    if not 0 < len(record["id"]) <= _MAX_ID or not math.isfinite(record["t"]):
        raise ValueError("id or t is out of range")


def _batches(records: list[dict[str, Any]], policies: Mapping[str, Any]) -> list[_Batch]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        groups[record["workspace"], record["endpoint"]].append(record)
    batches: list[_Batch] = []
    for (workspace, endpoint), all_ in sorted(groups.items()):
        if not (policies.get(f"{workspace}/{endpoint}") or {}).get("payload", True):
            all_ = [{**record, "inputs": None, "outputs": None} for record in all_]  # noqa: PLW2901 the same records, without values
        batches.append(_Batch(workspace=workspace, endpoint=endpoint, records=all_))
    return batches


def _commit(batch: _Batch, args: Mapping[str, Any]) -> dict[str, Any]:
    path = batch.path(args["lake"])
    is_late = bool(args.get("late"))
    order = Order(app_id=("late/" if is_late else "records/") + str(args["worker"]), batch=int(args["number"]))
    with lease(path):
        before = None if is_late else committed(path, order)
        known = known_keys(path, batch.records) if before is None else {(i, d) for i, d in before.get("repeats") or ()}
        fresh = [record for key, record in _once(batch.records).items() if key not in known]
        if fresh and before is None:
            append(path, frame_of(fresh, schema_of(path)), replace(order, counts={"repeats": sorted(known)}))
    answer = {"workspace": batch.workspace, "endpoint": batch.endpoint, "already": before is not None}
    return {**answer, **_told(fresh), "repeated": len(batch.records) - len(fresh)}


def _key(record: Mapping[str, Any]) -> tuple[str, str]:
    """Return what names a record: its request, whoever answered it when it was repeated, or its shadow's answer."""
    return record["id"], str(record.get("deployment") or "") if record.get("shadow") else ""


def _once(records: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Keep the first record of each key."""
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        kept.setdefault(_key(record), record)
    return kept


def known_keys(path: Path, records: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return the keys that a table holds already.

    ULIDs grow with time, so the smallest and largest id of each file keep old files closed; ids chosen by callers
    are looked for apart.
    """
    if not exists(path):
        return set()
    ids = {record["id"] for record in records}
    own = {id_ for id_ in ids if _ULID.fullmatch(id_)}
    found: set[tuple[str, str]] = set()
    for group in (own, ids - own):
        if group:
            columns = scan(path).select("id", "deployment")
            near = columns.filter(pl.col("id").is_between(pl.lit(min(group)), pl.lit(max(group))))
            found.update(near.filter(pl.col("id").is_in(sorted(group))).collect().iter_rows())
    found |= {(id_, "") for id_, _ in found}  # a shadow answers after the one it follows, so the id tells of that one
    return found & {_key(record) for record in records}


def _is_batch(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is of rows that a job scored: they count as rows, and were nobody's request."""
    return record.get("origin") == "batch"


def _told(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Count what was committed, by deployment revision."""
    traffic: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        key = (str(record.get("deployment") or ""), str(record.get("revision") or ""))
        line = traffic.setdefault(
            key, {"model": "", "version": "", "requests": 0, "rows": 0, "errors": 0, "first": record["t"]}
        )
        line["model"], line["version"] = str(record.get("model") or ""), str(record.get("version") or "")
        line["requests"] += not _is_batch(record)
        line["rows"] += int(record.get("rows") or 0)
        line["errors"] += record["status"] >= 500  # noqa: PLR2004 our own faults
        line["first"], line["last"] = min(line["first"], record["t"]), max(line.get("last", record["t"]), record["t"])
    real = [record for record in records if not record.get("shadow")]
    return {
        "requests": sum(not _is_batch(record) for record in real),
        "rows": sum(int(record.get("rows") or 0) for record in real),
        "last": max((record["t"] for record in records), default=None),
        "traffic": [{"deployment": d, "revision": r, **line} for (d, r), line in sorted(traffic.items())],
    }
