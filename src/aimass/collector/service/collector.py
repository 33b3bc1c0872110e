"""The service of the room: all parts, with the quarantine."""

from __future__ import annotations

from aimass.cluster import Job, SubmitJob
from aimass.collector.domain import (
    REPLAY,
    Collection,
    ListQuarantine,
    Quarantined,
    QuarantinedRow,
    ReplayQuarantine,
)
from aimass.collector.events import QUARANTINE_REPLAYED
from aimass.collector.service.deciding import Deciding
from aimass.collector.service.following import Following
from aimass.collector.service.ground import tell
from aimass.collector.service.pushing import Pushing
from aimass.collector.service.uploads import Uploads
from aimass.collector.settings import CollectorSettings
from aimass.collector.store import last_failed, last_succeeded, plans_into
from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake import NewVersion, OneDataset, submit_once

_LOOK_S = 60.0
_QUARANTINE = ("id", "raw", "line", "column", "reason", "source", "run")


class Collector(Following, Deciding, Uploads, Pushing):
    """Brings data in from where it lives: typed once, exactly once, with nothing lost."""

    @use_case(
        "GET /workspaces/{workspace}/datasets/{dataset}/quarantine",
        permission="collector.read",
        cli="quarantine list",
        on="dataset",
    )
    def list_quarantine(self, who: Principal, command: ListQuarantine) -> Quarantined:
        """List the rows of a dataset that were put aside, with their text, position and reason."""
        who.need("lake.use", command.workspace, f"dataset:{command.dataset}")
        self._ground.lake.need_whole(who, command.workspace, command.dataset, "the quarantine")
        path = self._ground.lake.quarantine_path(command.workspace, command.dataset)
        if not path.exists():
            return Quarantined(total=0, rows=[])
        args = {"path": str(path), "offset": command.offset, "limit": command.limit, "columns": list(_QUARANTINE)}
        told = self._ground.warm.call("aimass.collector.children.quarantine:rows", args, timeout_s=_LOOK_S)
        return Quarantined(total=told["total"], rows=[QuarantinedRow(**row) for row in told["rows"]])

    @use_case(
        "POST /workspaces/{workspace}/datasets/{dataset}/quarantine/replay",
        permission="collector.edit",
        cli="quarantine replay",
        on="dataset",
        status=201,
        progress="cluster.get_job",
    )
    def replay_quarantine(self, who: Principal, command: ReplayQuarantine) -> Job:
        """Read rows of the quarantine again, mended or by the types pinned since; each goes into the dataset once.

        Where the source merges by keys, a row takes the place of an older one alone, by the cursor of the source; a source
        without a cursor gets only rows whose keys are not there.
        """
        who.need("lake.use", command.workspace, f"dataset:{command.dataset}")
        lake, run = self._ground.lake, new_id()
        dataset = lake.get_dataset(SYSTEM, OneDataset(workspace=command.workspace, dataset=command.dataset))
        path = lake.quarantine_path(command.workspace, dataset.slug)
        if not path.exists() or dataset.latest is None:
            raise Conflict(f"no row of dataset {dataset.slug!r} is in quarantine", field="dataset", value=dataset.slug)
        with self._database.read() as conn:
            plans = plans_into(conn, command.workspace, dataset.slug)
        payload = {
            "quarantine": str(path),
            "target": str(lake.table_path(command.workspace, dataset.slug)),
            "plans": plans,
            "rows": [{"id": row.id, "raw": row.raw} for row in command.rows],
            "run": command.key or run,
            "dataset": dataset.slug,
            "describe": lake.describing(command.workspace, dataset.slug),
        }
        wish = SubmitJob(
            workspace=command.workspace,
            kind=REPLAY,
            title=f"Replay the quarantine of {dataset.slug}",
            payload=payload,
            key=f"{REPLAY}:{dataset.slug}:{command.key or run}",
            subject=f"dataset:{dataset.slug}",
        )
        return submit_once(self._ground.jobs, who, wish, beside=frozenset({"describe", "plans"}))

    def replayed(self, job: Job) -> None:
        """Take over the rows that came out of quarantine; the same end again changes nothing."""
        result, dataset = dict(job.result or {}), job.payload["dataset"]
        if result["version"] is not None:
            new = NewVersion(
                workspace=job.workspace,
                dataset=dataset,
                described=result["version"],
                origin=f"job:{job.id}",
                sources=(("job", job.id),),
                created_by=job.created_by,
            )
            self._ground.lake.add_version(new)
        with self._database.change(SYSTEM, job.workspace) as change:
            facts = {name: result.get(name, 0) for name in ("rows", "superseded", "refused")} | {"job": job.id}
            tell(change, QUARANTINE_REPLAYED, f"dataset:{dataset}", facts)

    def failing(self) -> list[Collection]:
        """Return the collections that failed and were not followed by another of their source, of all workspaces."""
        with self._database.read() as conn:
            return last_failed(conn)

    def putting_aside(self) -> list[Collection]:
        """Return the collections that put more than the tolerated share of their rows aside, of all workspaces.

        Only the newest of each source counts, and only while its version is the newest of the dataset: rows that were mended
        make a new one.
        """
        share = CollectorSettings().tolerated_quarantine
        with self._database.read() as conn:
            found = [one for one in last_succeeded(conn) if one.quarantined > share * (one.rows + one.quarantined)]
        newest = {
            (one.workspace, one.dataset): self._ground.lake.newest_of(one.workspace, one.dataset) for one in found
        }
        return [one for one in found if newest[one.workspace, one.dataset] == one.dataset_version]


__all__ = ["Collector"]
