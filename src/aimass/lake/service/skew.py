"""Offline against online values: whether look-ups answer what the lake says."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from aimass.kernel.clock import instant
from aimass.kernel.errors import AimassError, Conflict, NotFound
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake.events import FEATURES_COMPARED, FEATURES_SKEWED
from aimass.lake.feature_commands import OneFeatureView
from aimass.lake.feature_tables import note_view, sets_page, view_of, view_row, views_of
from aimass.lake.features import FeatureView, definition_of
from aimass.lake.online import microseconds
from aimass.lake.online_store import skewed, values_of
from aimass.lake.service.feature_views import tell_view
from aimass.lake.service.ground import LONG_S
from aimass.lake.service.storing import Storing

_COUNTS = ("entities", "equal", "different", "missing", "extra", "stale")
_NOTHING: dict[str, Any] = {**dict.fromkeys(_COUNTS, 0), "share": 0.0, "behind": [], "features": []}
SAMPLE = 100_000
LOOKED_AT = 20


class Skewing(Storing):
    """Use cases of the comparison of offline with online values."""

    @use_case(
        "POST /workspaces/{workspace}/feature-views/{feature_view}/skew",
        permission="lake.use",
        cli="features skew",
        on="feature_view",
    )
    def check_skew(self, who: Principal, command: OneFeatureView) -> FeatureView:
        """Compare what look-ups answer with what the lake says now, and with what models learned from.

        Of more than 100,000 entities a fixed part is compared. When more of them differ than the view allows, an event tells it
        and the view needs somebody, until a comparison finds them in agreement again.
        """
        view = self._view(command.workspace, command.feature_view)
        if view.online_at is None:
            raise Conflict(
                f"feature view {view.slug!r} has no online values",
                field="feature_view",
                value=view.slug,
                hint="renew them first: aimass features materialise",
            )
        with self._database.read() as conn:
            self._need_seen(conn, who, view_row(conn, view.workspace, view.slug))
        sources = self._sources(who, command.workspace, [definition_of(view)], {})
        order = self._order(view, self._plan(view, sources).tables, "", None).payload
        now = self._database.clock.now()
        oldest = None if view.ttl_s is None else microseconds(now - timedelta(seconds=view.ttl_s))
        with tempfile.TemporaryDirectory(prefix="aimass-skew-") as folder:
            online = self._write_online(view, Path(folder) / "online.ndjson")
            one_in = max(1, -(-view.online_rows // SAMPLE))
            args = {**order, "online": str(online), "one_in": one_in, "oldest_us": oldest}
            found = self._call("skew:skew", {**args, "snapshot": self._snapshot(view)}, LONG_S)
        behind = [
            s.dataset for s, o in zip(sources, view.online_from, strict=False) if s.delta_version > o.delta_version
        ]
        self._note_skew(who, view, {**found, "at": instant(now), "behind": behind})
        return self._view(command.workspace, command.feature_view)

    def skewed_views(self) -> list[FeatureView]:
        """Return the views whose online values differ from the lake more than they may, of all workspaces."""
        with self._database.read() as conn:
            return [view_of(row) for row in skewed(conn)]

    def compare_renewed(self) -> int:
        """Compare the views that were renewed since they were compared last; return how many those were."""
        with self._database.read() as conn:
            found = [view_of(row) for row in views_of(conn)]
        due = [v for v in found if v.online_at and (v.skew is None or v.skew["at"] < instant(v.online_at))]
        for view in due:
            try:
                self.check_skew(SYSTEM, OneFeatureView(workspace=view.workspace, feature_view=view.slug))
            except AimassError as reason:  # its source is gone, say: the others are compared all the same
                self._note_skew(
                    SYSTEM, view, {**_NOTHING, "at": instant(self._database.clock.now()), "error": reason.problem()}
                )
        return len(due)

    def _write_online(self, view: FeatureView, file: Path) -> Path:
        with self._database.read() as conn, file.open("wb") as target:
            row = view_row(conn, view.workspace, view.slug)
            for value in values_of(conn, row.id, row.generation):
                target.write(orjson.dumps([value.entity, value.event_us, value.content]) + b"\n")
        return file

    def _snapshot(self, view: FeatureView) -> dict[str, Any] | None:
        """Return the newest training set with the view whose rows are there: what models learned from."""
        with self._database.read() as conn:
            known = sets_page(conn, view.workspace, {"view": view.slug}, None, LOOKED_AT)
        author = Principal(id=view.created_by, name=view.created_by, kind="system")
        for one in known:
            if one.state == "SUCCEEDED" and one.number is not None:
                try:
                    at = self.locate(author, view.workspace, one.dataset, one.number)
                except (Conflict, NotFound):
                    continue  # retention or a person removed it
                names = {feature: name for of, feature, name in one.definition["names"] if of == view.slug}
                return {"path": at.path, "version": at.delta_version, "columns": names}
        return None

    def _note_skew(self, who: Principal, view: FeatureView, found: dict[str, Any]) -> None:
        is_skewed = found["share"] > view.skew_limit
        with self._database.change(who, view.workspace) as change:
            note_view(change, view.id, skew=found, is_skewed=is_skewed)
            facts = {name: found[name] for name in _COUNTS}
            tell_view(change, FEATURES_SKEWED if is_skewed else FEATURES_COMPARED, view.slug, facts)
