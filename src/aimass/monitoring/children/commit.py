"""Closed record segments into the lake: each segment once, each request id once."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from aimass.infra.segments import Segment, read_segment
from aimass.kernel.errors import Invalid
from aimass.kernel.names import check_slug
from aimass.monitoring.children.rows import frame_of
from aimass.monitoring.children.tables import Order, append, committed, exists, lease, scan, schema_of

_ULID = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"
_ULID_TEXT = re.compile(_ULID)
_MAX_ID = 300
_NEEDED = {"id": str, "t": (int, float), "workspace": str, "endpoint": str, "status": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """The records of one endpoint in one segment."""

    workspace: str
    endpoint: str
    records: list[dict[str, Any]]
    left_out: int

    def path(self, lake: str) -> Path:
        """Return the table of the endpoint."""
        return Path(lake, self.workspace, f"_records-{self.endpoint}")


def commit_segment(args: dict[str, Any]) -> dict[str, Any]:
    """Append the records of one segment to the tables of their endpoints; the same segment again changes nothing.

    Parameters
    ----------
    args
        ``path`` (segment file), ``worker``, ``number``; ``lake`` (folder of all workspaces); ``policies`` by
        ``workspace/endpoint``: ``sample`` (share of requests that is kept) and ``payload`` (keep inputs and outputs);
        ``late``: the segment was accounted before, so that only request ids decide.

    Returns
    -------
    dict
        ``tables``: per endpoint ``requests``, ``rows``, ``repeated`` (ids that were there already), ``left_out`` (by sampling),
        ``last`` (newest time) and ``traffic`` per deployment revision; ``damage``: places that could not be read.
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
            record = json.loads(payload)
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


def is_sampled(request_id: str, share: float) -> bool:
    """Tell whether a request belongs to the kept share; the same id always gets the same answer.

    Examples
    --------
    >>> is_sampled("01ABC", 1.0), is_sampled("01ABC", 0.0)
    (True, False)
    """
    return zlib.crc32(request_id.encode()) < share * 2**32


def _batches(records: list[dict[str, Any]], policies: Mapping[str, Any]) -> list[_Batch]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        groups[record["workspace"], record["endpoint"]].append(record)
    batches: list[_Batch] = []
    for (workspace, endpoint), all_ in sorted(groups.items()):
        policy = policies.get(f"{workspace}/{endpoint}") or {}
        share = float(policy.get("sample", 1.0))
        kept = [record for record in all_ if is_sampled(record["id"], share)]
        if not policy.get("payload", True):
            kept = [{**record, "inputs": None, "outputs": None} for record in kept]
        batches.append(_Batch(workspace=workspace, endpoint=endpoint, records=kept, left_out=len(all_) - len(kept)))
    return batches


def _commit(batch: _Batch, args: Mapping[str, Any]) -> dict[str, Any]:
    path = batch.path(args["lake"])
    app = ("late/" if args.get("late") else "records/") + str(args["worker"])
    answer = {"workspace": batch.workspace, "endpoint": batch.endpoint, "left_out": batch.left_out}
    with lease(path):
        plain = Order(app_id=app, batch=int(args["number"]))
        before = None if args.get("late") else committed(path, plain)
        if before is not None:
            fresh = [r for r in _once(batch.records) if r["id"] not in set(before.get("repeats") or ())]
            return {**answer, **_told(fresh), "repeated": len(batch.records) - len(fresh), "already": True}
        known = known_ids(path, [record["id"] for record in batch.records])
        fresh = [record for record in _once(batch.records) if record["id"] not in known]
        if fresh:
            append(
                path,
                frame_of(fresh, schema_of(path)),
                Order(app_id=app, batch=plain.batch, counts={"repeats": sorted(known)}),
            )
    return {**answer, **_told(fresh), "repeated": len(batch.records) - len(fresh), "already": False}


def _once(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the first record of each id."""
    return list({record["id"]: record for record in reversed(records)}.values())[::-1]


def known_ids(path: Path, ids: list[str]) -> set[str]:
    """Return the ids that a table holds already.

    ULIDs grow with time, so the smallest and largest id of each file keep old files closed; ids chosen by callers
    are looked for apart.
    """
    if not ids or not exists(path):
        return set()
    found: set[str] = set()
    own = [i for i in ids if _ULID_TEXT.fullmatch(i)]
    for group in (own, sorted(set(ids) - set(own))):
        if group:
            column = scan(path).select("id").filter(pl.col("id").is_between(pl.lit(min(group)), pl.lit(max(group))))
            found.update(column.filter(pl.col("id").is_in(group)).unique().collect()["id"].to_list())
    return found


def _told(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Count what was committed, by deployment revision."""
    traffic: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        key = (str(record.get("deployment") or ""), str(record.get("revision") or ""))
        line = traffic.setdefault(
            key, {"model": "", "version": "", "requests": 0, "rows": 0, "errors": 0, "first": record["t"]}
        )
        line["model"], line["version"] = str(record.get("model") or ""), str(record.get("version") or "")
        line["requests"] += 1
        line["rows"] += int(record.get("rows") or 0)
        line["errors"] += record["status"] >= 500  # noqa: PLR2004 our own faults
        line["first"], line["last"] = min(line["first"], record["t"]), max(line.get("last", record["t"]), record["t"])
    return {
        "requests": len(records),
        "rows": sum(line["rows"] for line in traffic.values()),
        "last": max((record["t"] for record in records), default=None),
        "traffic": [{"deployment": d, "revision": r, **line} for (d, r), line in sorted(traffic.items())],
    }
