"""Policies of datasets, and what they leave of a dataset for somebody."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from aimass.cluster import Job
from aimass.infra.tables import FolderTables, tables_of
from aimass.kernel.errors import Conflict, Forbidden, NotFound, Stale
from aimass.kernel.ids import new_id
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import OneDataset
from aimass.lake.domain import DatasetVersion, Location
from aimass.lake.events import POLICY_REMOVED, POLICY_SET
from aimass.lake.policies import (
    AUTOMATIC,
    OUTSIDE,
    Caller,
    OnePolicy,
    Policy,
    SetPolicy,
    check_policy,
    decide,
    decided,
)
from aimass.lake.policy_store import (
    add_key,
    add_policy,
    drop_policy,
    guarded_datasets,
    policies_of,
    put_policy,
    sealed_key,
)
from aimass.lake.service.ground import LONG_S, Part, tell
from aimass.lake.store import any_dataset_row, dataset_row, version_of, version_row

_PATH = "/workspaces/{workspace}/datasets/{dataset}/policies"
_PLAIN = ("filter", "columns", "mask", "keep", "step", "applies_to", "exempt", "granted", "enabled")
COPIES = "_copies"
RECIPIENT = Principal(id="recipient", name="recipient", kind="system")  # whoever reads a share: nobody of the workspace


class Guarding(Part):
    """Use cases of policies, and the one door to the rows of a dataset for the work of other rooms."""

    @use_case(f"GET {_PATH}", permission="lake.read", cli="data policies", on="dataset")
    def list_policies(self, who: Principal, command: OneDataset) -> list[Policy]:
        """List the policies of a dataset: which rows and columns are hidden, and from whom.

        Values that filters grant to others are left out for those who may not manage the dataset.
        """
        with self._database.read() as conn:
            found = policies_of(conn, dataset_row(conn, command.workspace, command.dataset).id)
        if who.allows("lake.manage", command.workspace, f"dataset:{command.dataset}"):
            return found
        return [replace(policy, granted={}) for policy in found]

    @use_case(f"GET {_PATH}/{{policy}}", permission="lake.manage", cli="data policy", on="dataset")
    def get_policy(self, who: Principal, command: OnePolicy) -> Policy:
        """Show a policy."""
        with self._database.read() as conn:
            return _policy(conn, dataset_row(conn, command.workspace, command.dataset), command.policy)

    @use_case(f"PUT {_PATH}/{{policy}}", permission="lake.manage", cli="data set-policy", on="dataset")
    def set_policy(self, who: Principal, command: SetPolicy) -> Policy:
        """Set a policy: a row filter, or a mask on columns; it counts from the next query on."""
        with self._database.read() as conn:
            row = dataset_row(conn, command.workspace, command.dataset)
            newest = None if row.latest is None else version_of(version_row(conn, row.id, row.latest))
        check_policy(command, None if newest is None else [column.name for column in newest.columns])
        self._try(command, newest)
        values = {name: getattr(command, name) for name in _PLAIN}
        with self._database.change(who, command.workspace) as change:
            row = dataset_row(change.conn, command.workspace, command.dataset)
            known = next((p for p in policies_of(change.conn, row.id) if p.name == command.policy), None)
            _fresh(known, command)
            if known is None:
                names = {"id": new_id(), "workspace": row.workspace, "dataset_id": row.id, "dataset": row.slug}
                times = {"created_at": change.now, "changed_at": change.now, "created_by": who.id, "version": 1}
                add_policy(change, {**values, **names, **times, "name": command.policy})
            else:
                put_policy(change, known.id, **values)
            facts = {"policy": command.policy, "columns": command.columns, "mask": command.mask}
            facts |= {"rows": bool(command.filter), "enabled": command.enabled}
            tell(change, POLICY_SET, row.slug, facts)
            return _policy(change.conn, row, command.policy)

    @use_case(f"DELETE {_PATH}/{{policy}}", permission="lake.manage", cli="data remove-policy", on="dataset")
    def remove_policy(self, who: Principal, command: OnePolicy) -> None:
        """Remove a policy; what it hid is seen from the next query on."""
        with self._database.change(who, command.workspace) as change:
            row = dataset_row(change.conn, command.workspace, command.dataset)
            known = _policy(change.conn, row, command.policy)
            _fresh(known, command)
            drop_policy(change, known.id)
            tell(change, POLICY_REMOVED, row.slug, {"policy": command.policy})

    def _try(self, command: SetPolicy, newest: DatasetVersion | None) -> None:
        """Let the engine say whether a filter can be applied, before it stands in everybody's way."""
        if not command.filter:
            return
        columns = None if newest is None else [{"name": c.name, "type": c.type} for c in newest.columns]
        self._call("policy:check", {"dataset": command.dataset, "filter": command.filter, "columns": columns})

    def policy_of(self, conn: Connection, who: Principal, row: Row[Any]) -> dict[str, Any] | None:
        """Return what the policies of a dataset leave for somebody; None when he sees everything.

        Those of a dataset count for its branches as well.
        """
        found = policies_of(conn, row.id)
        if row.parent_id is not None:
            found = [*policies_of(conn, row.parent_id), *found]
        if not found or who == SYSTEM:
            return None
        return decide(found, self._caller(who, row.workspace))

    def seen(self, conn: Connection, who: Principal, workspace: str, slugs: Iterable[str]) -> str:
        """Return a digest of what policies leave somebody of some datasets; empty when he sees all of them."""
        guarded = guarded_datasets(conn, workspace)
        left: dict[str, Any] = {}
        for slug in sorted({slug for slug in slugs if {slug, slug.partition("@")[0]} & guarded}):
            row = any_dataset_row(conn, workspace, slug)
            policy = None if row is None else self.policy_of(conn, who, row)
            if policy is not None:
                left[slug] = decided(policy)
        return sha256(json.dumps(left, sort_keys=True).encode()).hexdigest() if left else ""

    def policy_marks(self, conn: Connection, workspace: str, slugs: Iterable[str]) -> dict[str, int]:
        """Return the policies that count for some datasets, each with its version."""
        rows = [row for slug in sorted(set(slugs)) if (row := any_dataset_row(conn, workspace, slug)) is not None]
        ids = [id_ for row in rows for id_ in (row.id, row.parent_id) if id_ is not None]
        return {policy.id: policy.version for id_ in ids for policy in policies_of(conn, id_)}

    def need_same_policies(self, job: Job, slugs: Iterable[str]) -> None:
        """Refuse work on rows that were laid out before a policy of theirs was set or changed.

        Raises
        ------
        Conflict
            What its author may see was changed after the job was asked for; a policy that is gone hides nothing.
        """
        if job.created_by == SYSTEM.id:
            return
        before = job.payload.get("policies", {})  # one that waited through an upgrade has none
        with self._database.read() as conn:
            now = self.policy_marks(conn, job.workspace, slugs)
        if any(before.get(id_) != version for id_, version in now.items()):
            told = f"the policies of what {job.title!r} reads were changed after it was asked for"
            raise Conflict(told, field="job", value=job.id, hint="ask again")

    def _caller(self, who: Principal, workspace: str) -> Caller:
        """Return who asks; what runs on behalf of somebody asks with his rights, and not at all once his account is gone."""
        if who == RECIPIENT:
            return Caller(id=who.id, name=who.name, kind=OUTSIDE)
        if who.kind == "system" and (who.id == SYSTEM.id or ":" in who.id):  # a rule of the platform, not an account
            return Caller(id=who.id, name=who.name, kind=AUTOMATIC)
        if who.kind == "system":
            who = self._ground.access.principal(who.id)
        standing = self._ground.access.standing(who, workspace)
        return Caller(id=who.id, name=who.name, kind=who.kind, groups=standing.groups, roles=standing.roles)

    def token_key(self, workspace: str) -> str:
        """Return the secret that tokens of a workspace are made with, in hexadecimal digits; made when it is missing."""
        about = f"lake/tokens/{workspace}"
        with self._database.read() as conn:
            sealed = sealed_key(conn, workspace)
        if sealed is None:
            with self._database.change(SYSTEM, workspace) as change:
                sealed = sealed_key(change.conn, workspace)
                if sealed is None:
                    sealed = self._ground.secrets.seal(secrets.token_bytes(32), about=about)
                    add_key(change, workspace, sealed)
        return self._ground.secrets.unseal(sealed, about=about).hex()

    def locate(self, who: Principal, workspace: str, dataset: str, number: int | str | None = None) -> Location:
        """Return where the rows of a version lie for the work of another room, as far as somebody may see them.

        A text is a tag or a moment.

        Without a policy that counts for him this is the table itself; else a copy of what he sees, made once for the same
        version, policies and rights.
        """
        who.need("lake.use", workspace, f"dataset:{dataset}")
        with self._database.read() as conn:
            row, found = self._named(conn, workspace, dataset, number)
            policy = self.policy_of(conn, who, row)
        at = {**self._at(found), "rows": found.rows}
        if policy is not None:
            at = self._copied(found, at, policy)
        return Location(
            dataset=dataset,
            number=found.number,
            version_id=found.id,
            path=at["path"],
            delta_version=at["version"],
            rows=at["rows"],
        )

    def bring(self, payload: Mapping[str, Any]) -> None:
        """Make the tables that the order of a job names readable as files, for a child that is not handed the key of their store."""
        if isinstance(tables_of(self._ground.folder), FolderTables):
            return
        named = [at for at in _named_in(payload) if Path(str(at["path"])).is_relative_to(self._ground.folder)]
        if named:
            self._call("copies:bring", {"tables": named}, LONG_S)

    def _copied(self, version: DatasetVersion, at: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
        """Make the copy of what somebody sees of a version, unless it is there; return where it lies."""
        path = self.copies_path(version.workspace, version.dataset) / _copy_name(version, policy)
        args = {"path": str(path), "app_id": "copy", "batch": 1, "key": self.token_key(version.workspace)}
        args |= {"sql": f'FROM "{version.dataset}"', "tables": {version.dataset: {**at, "policy": policy}}}
        args["private"] = [column.name for column in version.columns]
        made = self._call("copies:copy", args, LONG_S)
        tables_of(path).stamp(path)
        return {"path": str(path), "version": made["version"], "rows": made["rows"]}

    def shared_folder(self, workspace: str, dataset: str, number: int, copy: str) -> Path | None:
        """Return the folder with the files of a version that was shared: the table's, or that of a copy made for recipients.

        None when policies leave something else of it by now.
        """
        with self._database.read() as conn:
            row, found = self._row(conn, workspace, dataset, number)
            policy = self.policy_of(conn, RECIPIENT, row)
        if copy != ("" if policy is None else _copy_name(found, policy)):
            return None
        return self.copies_path(workspace, dataset) / copy if copy else self.table_path(workspace, dataset)

    def copies_path(self, workspace: str, dataset: str) -> Path:
        """Return the folder of the copies that were made of a dataset for people who see only a part of it."""
        return self._ground.folder / workspace / COPIES / dataset

    def need_whole(self, who: Principal, workspace: str, dataset: str, what: str) -> None:
        """Refuse what cannot be cut to what somebody sees, if a policy counts for him."""
        with self._database.read() as conn:
            row = dataset_row(conn, workspace, dataset)
            if self.policy_of(conn, who, row) is not None:
                raise Forbidden(
                    f"{what} of {dataset!r} shows more than a policy lets {who.name!r} see",
                    value=dataset,
                    hint="query the dataset instead, or ask for an exemption from its policies",
                )


def _named_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield what names a version of a table: ``path`` and ``version``, at any depth.

    Examples
    --------
    >>> list(_named_in({"dataset": {"path": "/lake/t", "version": 3}, "split": {"file": "x"}}))
    [{'path': '/lake/t', 'version': 3}]
    """
    if isinstance(value, Mapping):
        if isinstance(value.get("path"), str) and isinstance(value.get("version"), int):
            yield {"path": value["path"], "version": value["version"]}
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for item in value:
        yield from _named_in(item)


def _copy_name(version: DatasetVersion, policy: dict[str, Any]) -> str:
    return sha256(json.dumps([version.id, policy], sort_keys=True).encode()).hexdigest()[:32]


def _policy(conn: Connection, row: Row[Any], name: str) -> Policy:
    found = policies_of(conn, row.id)
    known = next((policy for policy in found if policy.name == name), None)
    if known is None:
        raise NotFound(
            f"there is no policy {name!r}", field="policy", value=name, allowed=[policy.name for policy in found]
        )
    return known


def _fresh(known: Policy | None, command: SetPolicy | OnePolicy) -> None:
    if command.expected_version not in (None, known.version if known else 0):
        at = known.version if known else "no"
        raise Stale(
            f"policy {command.policy!r} has {at} version", field="expected_version", value=command.expected_version
        )
