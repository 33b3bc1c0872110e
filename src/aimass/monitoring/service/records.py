"""Inference records: what is kept, reading them, erasing from them, and handing labelled ones to training."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page, decode_cursor, encode_cursor
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.monitoring.domain.records import (
    GetRecording,
    InferenceRecord,
    Labelled,
    LabelledRecords,
    ListRecords,
    Recording,
)
from aimass.monitoring.errors import NotWatched
from aimass.monitoring.events import subject
from aimass.monitoring.service.ground import Part, text_of
from aimass.monitoring.store import feedback, recorded

_MASK = "***"
_SHOWN_DAMAGE = 20
_SEPARATOR = "\n"


class Records(Part):
    """Use cases of inference records."""

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/recording",
        permission="monitoring.read",
        on="endpoint",
        cli="records status",
    )
    def get_recording(self, who: Principal, command: GetRecording) -> Recording:
        """Show what is kept of an endpoint's requests, how much there is, and what was damaged."""
        del who
        with self._database.read() as conn:
            row = recorded.endpoint(conn, command.workspace, command.endpoint)
            if row is None:
                raise not_watched(command.endpoint)
            damage = recorded.newest_damage(conn, _SHOWN_DAMAGE)
            damaged = recorded.damaged(conn)
        names = (
            "sample",
            "payload",
            "retention_days",
            "max_bytes",
            "requests",
            "rows",
            "repeated",
            "size_bytes",
            "last_record_at",
        )
        values: dict[str, Any] = {name: getattr(row, name) for name in names}
        return Recording(workspace=row.workspace, endpoint=row.endpoint, damage=damage, damaged=damaged, **values)

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/records",
        permission="monitoring.read",
        on="endpoint",
        cli="records list",
    )
    def list_records(self, who: Principal, command: ListRecords) -> Page[InferenceRecord]:
        """List inference records, newest first; who may not use monitoring sees no values."""
        check_slug(command.endpoint, field="endpoint")
        filters = {
            name: getattr(command, name)
            for name in ("deployment", "revision", "status", "request_id", "trace", "origin", "limit")
        }
        filters |= {"since": text_of(command.since), "until": text_of(command.until)}
        if command.cursor:
            t, id_, row, deployment = decode_cursor(command.cursor).split(_SEPARATOR)
            filters["after"] = [t, id_, int(row), deployment]
        rows = self._call("records:read", self._tables(command.workspace, command.endpoint) | filters)["rows"]
        shown = rows[: command.limit]
        with self._database.read() as conn:
            ids = sorted({row["id"] for row in shown})
            labels = feedback.labels_for(conn, command.workspace, command.endpoint, ids)
        masked = not who.allows("monitoring.use", command.workspace, subject(command.endpoint))
        items = [_record(row, labels.get((row["id"], row["row"])), masked=masked) for row in shown]
        more = len(rows) > command.limit
        return Page(items=items, next=encode_cursor(_cursor(shown[-1])) if more else None)

    def labelled_records(self, who: Principal, command: LabelledRecords) -> Labelled:
        """Write inputs and true labels of an endpoint as Parquet, for a new dataset version; without ids or times."""
        who.need("monitoring.use", command.workspace, subject(command.endpoint))
        name = f"{check_slug(command.endpoint)}-{command.name or new_id()}.parquet"
        out = self.labelled_file(command.workspace, name)
        args = self._tables(command.workspace, command.endpoint) | {"out": str(out), "target": command.target}
        args |= {
            "key": command.key,
            "without": None if command.without is None else asdict(command.without),
            "deployment": command.deployment,
            "since": text_of(command.since),
            "told_since": _iso(command.told_since),
            "by_request": command.by_request,
            "action": command.action,
            "propensity": command.propensity,
            "joined_by": command.joined_by,
        }
        with self._ground.computing:
            return Labelled(**self._call("feedback:labelled", args))

    def labelled_file(self, workspace: str, name: str) -> Path:
        """Return where a file of :meth:`labelled_records` lies; it is kept for a day."""
        return self._folder(workspace, "_labelled") / name


def not_watched(endpoint: str) -> NotWatched:
    """Return the error for an endpoint that nothing is known of."""
    hint = "deploy a model on it, or send it a request"
    return NotWatched(f"nothing is known of endpoint {endpoint!r} yet", field="endpoint", value=endpoint, hint=hint)


def _iso(moment: datetime | None) -> str | None:
    text = text_of(moment)
    return None if text is None else text.replace("Z", "+0000")


def _cursor(row: dict[str, Any]) -> str:
    return _SEPARATOR.join([row["t"], row["id"], str(row["row"]), row["deployment"]])


def _record(row: dict[str, Any], label: str | None, *, masked: bool) -> InferenceRecord:
    values = {**row, "t": datetime.fromisoformat(row["t"]), "feedback": label, "is_masked": masked}
    if masked:
        values["inputs"] = dict.fromkeys(row["inputs"], _MASK)
        values["outputs"] = dict.fromkeys(row["outputs"], _MASK)
    return InferenceRecord(**values)
