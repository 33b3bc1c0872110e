"""Shares and recipients: who outside reads which tables, and each read of one."""

from __future__ import annotations

import secrets
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from aimass.infra.database import Change
from aimass.kernel.clock import instant
from aimass.kernel.errors import Conflict, Forbidden, NotFound, Unauthenticated
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import OneWorkspace
from aimass.lake.events import RECIPIENT_CHANGED, SHARE_CHANGED
from aimass.lake.service.branches import Branches
from aimass.lake.service.ground import LONG_S
from aimass.lake.service.guarding import RECIPIENT
from aimass.lake.sharing import (
    TOKEN_DAYS,
    ChangeRecipient,
    CreateRecipient,
    CreateShare,
    OneRecipient,
    OneShare,
    Recipient,
    RecipientProfile,
    RotateRecipient,
    Share,
    ShareDataset,
    SharedTable,
    TableRead,
    UnshareTable,
)
from aimass.lake.store import dataset_row
from aimass.lake.store_shares import (
    add_recipient,
    add_share,
    drop_recipient,
    drop_share,
    find_recipient,
    find_share,
    put_recipient,
    put_share,
    recipient_by_token,
    recipient_of,
    recipient_row,
    recipients_of,
    share_of,
    share_row,
    shares_of,
)

_SHARES = "/workspaces/{workspace}/shares"
_RECIPIENTS = "/workspaces/{workspace}/recipients"
PREFIX = "ads_"


class Sharing(Branches):
    """Use cases of sharing."""

    @use_case(f"GET {_SHARES}", permission="lake.read", cli="shares list")
    def list_shares(self, who: Principal, command: OneWorkspace) -> list[Share]:
        """List the shares of a workspace, and what is in them."""
        with self._database.read() as conn:
            return [share_of(row) for row in shares_of(conn, command.workspace)]

    @use_case(f"POST {_SHARES}", permission="lake.manage", cli="shares create", status=201)
    def create_share(self, who: Principal, command: CreateShare) -> Share:
        """Create an empty share."""
        slug = check_slug(command.share, field="share")
        with self._database.change(who, command.workspace) as change:
            if find_share(change.conn, command.workspace, slug) is not None:
                raise Conflict(f"share {slug!r} exists already", field="share", value=slug, hint="choose another name")
            values = {"id": new_id(), "workspace": command.workspace, "slug": slug, "description": command.description}
            values |= {"tables": [], "created_by": who.id, "created_at": change.now, "version": 1}
            add_share(change, values)
            _tell(change, SHARE_CHANGED, f"share:{slug}", {"tables": 0})
            return share_of(share_row(change.conn, command.workspace, slug))

    @use_case(f"DELETE {_SHARES}/{{share}}", permission="lake.manage", cli="shares delete")
    def delete_share(self, who: Principal, command: OneShare) -> None:
        """Delete a share: its recipients read it no more."""
        with self._database.change(who, command.workspace) as change:
            drop_share(change, share_row(change.conn, command.workspace, command.share).id)
            _tell(change, SHARE_CHANGED, f"share:{command.share}", {"deleted": True})

    @use_case(f"POST {_SHARES}/{{share}}/tables", permission="lake.manage", cli="shares add")
    def share_dataset(self, who: Principal, command: ShareDataset) -> Share:
        """Share a dataset: recipients of the share read its newest version, and earlier ones if you say so."""
        who.need("lake.manage", command.workspace, f"dataset:{command.dataset}")
        table = SharedTable(
            namespace=check_slug(command.namespace, field="namespace"),
            name=check_slug(command.name or slug_of(command.dataset), field="name"),
            dataset=command.dataset,
            history=command.history,
            personal=command.personal,
        )
        with self._database.change(who, command.workspace) as change:
            _refuse_personal(dataset_row(change.conn, command.workspace, command.dataset), table)
            row = share_row(change.conn, command.workspace, command.share)
            if any((one["namespace"], one["name"]) == (table.namespace, table.name) for one in row.tables):
                taken = f"{table.namespace}.{table.name}"
                raise Conflict(
                    f"the share has a table {taken!r} already", field="name", value=taken, hint="choose another name"
                )
            put_share(change, row.id, tables=[*row.tables, asdict(table)])
            _tell(change, SHARE_CHANGED, f"share:{row.slug}", {"added": command.dataset, "history": table.history})
            return share_of(share_row(change.conn, command.workspace, command.share))

    @use_case(
        f"DELETE {_SHARES}/{{share}}/tables/{{namespace}}/{{name}}", permission="lake.manage", cli="shares remove"
    )
    def unshare_table(self, who: Principal, command: UnshareTable) -> None:
        """Take a table out of a share."""
        with self._database.change(who, command.workspace) as change:
            row = share_row(change.conn, command.workspace, command.share)
            kept = [one for one in row.tables if (one["namespace"], one["name"]) != (command.namespace, command.name)]
            if len(kept) == len(row.tables):
                raise NotFound(f"the share has no table {command.name!r}", field="name", value=command.name)
            put_share(change, row.id, tables=kept)
            _tell(change, SHARE_CHANGED, f"share:{row.slug}", {"removed": f"{command.namespace}.{command.name}"})

    @use_case(f"GET {_RECIPIENTS}", permission="lake.manage", cli="recipients list")
    def list_recipients(self, who: Principal, command: OneWorkspace) -> list[Recipient]:
        """List who outside may read shares, and when each did last."""
        with self._database.read() as conn:
            return [recipient_of(row) for row in recipients_of(conn, command.workspace)]

    @use_case(f"POST {_RECIPIENTS}", permission="lake.manage", cli="recipients create", status=201)
    def create_recipient(self, who: Principal, command: CreateRecipient) -> RecipientProfile:
        """Create a recipient; its profile with the token is told this once."""
        name, slug = clean_name(command.name), slug_of(command.name)
        token = PREFIX + secrets.token_urlsafe(32)
        with self._database.change(who, command.workspace) as change:
            if find_recipient(change.conn, command.workspace, slug) is not None:
                raise Conflict(
                    f"recipient {slug!r} exists already", field="name", value=name, hint="choose another name"
                )
            names = _known_shares(change, command.workspace, command.shares)
            values = {"id": new_id(), "workspace": command.workspace, "slug": slug, "name": name, "shares": names}
            values |= dict.fromkeys(("old_sha256", "grace_until", "revoked_at", "last_used_at"))
            values |= {
                "token_sha256": _hash(token),
                "expires_at": change.now + timedelta(days=command.days or TOKEN_DAYS),
            }
            add_recipient(change, {**values, "created_by": who.id, "created_at": change.now})
            _tell(change, RECIPIENT_CHANGED, f"recipient:{slug}", {"shares": names})
        return self._profile(slug, token, values["expires_at"], command.endpoint)

    @use_case(f"PUT {_RECIPIENTS}/{{recipient}}/shares", permission="lake.manage", cli="recipients change")
    def change_recipient(self, who: Principal, command: ChangeRecipient) -> Recipient:
        """Say which shares a recipient may read from now on."""
        with self._database.change(who, command.workspace) as change:
            row = recipient_row(change.conn, command.workspace, command.recipient)
            names = _known_shares(change, command.workspace, command.shares)
            put_recipient(change, row.id, shares=names)
            _tell(change, RECIPIENT_CHANGED, f"recipient:{row.slug}", {"shares": names})
            return recipient_of(recipient_row(change.conn, command.workspace, command.recipient))

    @use_case(f"POST {_RECIPIENTS}/{{recipient}}/rotate", permission="lake.manage", cli="recipients rotate")
    def rotate_recipient(self, who: Principal, command: RotateRecipient) -> RecipientProfile:
        """Give a recipient a new token; the old one counts for a while if you say so, also after it was revoked."""
        token = PREFIX + secrets.token_urlsafe(32)
        with self._database.change(who, command.workspace) as change:
            row = recipient_row(change.conn, command.workspace, command.recipient)
            grace = change.now + timedelta(hours=command.grace_hours)
            is_kept = command.grace_hours > 0 and row.revoked_at is None
            ends = change.now + timedelta(days=command.days or TOKEN_DAYS)
            old = (
                {"old_sha256": row.token_sha256, "grace_until": min(grace, row.expires_at)}
                if is_kept
                else {"old_sha256": None, "grace_until": None}
            )
            put_recipient(change, row.id, token_sha256=_hash(token), expires_at=ends, revoked_at=None, **old)
            _tell(
                change,
                RECIPIENT_CHANGED,
                f"recipient:{row.slug}",
                {"rotated": True, "grace_hours": command.grace_hours},
            )
        return self._profile(row.slug, token, ends, command.endpoint)

    @use_case(f"POST {_RECIPIENTS}/{{recipient}}/revoke", permission="lake.manage", cli="recipients revoke")
    def revoke_recipient(self, who: Principal, command: OneRecipient) -> Recipient:
        """Take the token of a recipient back at once; a rotation gives a new one."""
        with self._database.change(who, command.workspace) as change:
            row = recipient_row(change.conn, command.workspace, command.recipient)
            put_recipient(change, row.id, revoked_at=change.now, old_sha256=None, grace_until=None)
            _tell(change, RECIPIENT_CHANGED, f"recipient:{row.slug}", {"revoked": True})
            return recipient_of(recipient_row(change.conn, command.workspace, command.recipient))

    @use_case(f"DELETE {_RECIPIENTS}/{{recipient}}", permission="lake.manage", cli="recipients delete")
    def delete_recipient(self, who: Principal, command: OneRecipient) -> None:
        """Delete a recipient: its token counts no more."""
        with self._database.change(who, command.workspace) as change:
            row = recipient_row(change.conn, command.workspace, command.recipient)
            drop_recipient(change, row.id)
            _tell(change, RECIPIENT_CHANGED, f"recipient:{row.slug}", {"deleted": True})

    def _profile(self, slug: str, token: str, ends: datetime, endpoint: str | None) -> RecipientProfile:
        address = (endpoint or self.address).rstrip("/").removesuffix("/delta-sharing")
        told = {"shareCredentialsVersion": 1, "endpoint": f"{address}/delta-sharing", "bearerToken": token}
        return RecipientProfile(recipient=slug, expires_at=ends, profile={**told, "expirationTime": instant(ends)})

    def recipient_of_token(self, token: str) -> Recipient:
        """Return the recipient whose token this is; refuse one that is unknown, revoked or over."""
        mark = _hash(token)
        now = self._database.clock.now()
        with self._database.read() as conn:
            row = recipient_by_token(conn, mark)
        if row is None or row.revoked_at is not None:
            raise Unauthenticated(
                "this token is unknown or was revoked", hint="ask who shares the data for a new profile"
            )
        ends = row.expires_at if row.token_sha256 == mark else row.grace_until
        if ends is None or ends <= now:
            raise Unauthenticated("this token has expired", hint="ask who shares the data for a new profile")
        return recipient_of(row)

    def shares_for(self, recipient: Recipient) -> list[Share]:
        """Return the shares that a recipient may read, each with the tables that are there."""
        with self._database.read() as conn:
            rows = [share_of(row) for row in shares_of(conn, recipient.workspace) if row.slug in recipient.shares]
        known = set(self.readable(_as_principal(recipient), recipient.workspace, "lake.read"))
        return [replace(share, tables=[one for one in share.tables if one.dataset in known]) for share in rows]

    def read_shared(
        self,
        recipient: Recipient,
        share: Share,
        table: SharedTable,
        *,
        version: int | None = None,
        at: str | None = None,
        files: bool = True,
    ) -> TableRead:
        """Return a version for a recipient, with its files if they are asked for, and note in the audit log who read what."""
        if (version is not None or at is not None) and not table.history:
            raise Forbidden(f"of table {table.name!r} the newest version alone is shared", hint="ask without a version")
        with self._database.read() as conn:
            row, found = self._row(conn, recipient.workspace, table.dataset, version, at)
            policy = self.policy_of(conn, RECIPIENT, row)
        _refuse_personal(row, table)
        told: dict[str, Any] = {"files": []}
        copy = ""
        if files:
            lies = self._at(found)
            if policy is not None:
                lies = self._copied(found, lies, policy)
                copy = Path(lies["path"]).name
            told = self._call("share:files", {name: lies[name] for name in ("path", "version")}, LONG_S)
        facts = {"share": share.slug, "table": f"{table.namespace}.{table.name}", "number": found.number}
        with self._database.change(_as_principal(recipient), recipient.workspace) as change:
            put_recipient(change, recipient.id, last_used_at=change.now)
            if files:
                facts["files"] = len(told["files"])
                change.audit("lake.share.read", object_=f"dataset:{table.dataset}", detail=facts)
        where = {"id": row.id, "workspace": row.workspace, "dataset": row.slug}
        return TableRead(**where, number=found.number, told=told, copy=copy)

    @property
    def address(self) -> str:
        """The public address of the platform."""
        return self._ground.address


def _as_principal(recipient: Recipient) -> Principal:
    return Principal(id=f"recipient:{recipient.id}", name=recipient.name, kind="system")


def _refuse_personal(row: Row[Any], table: SharedTable) -> None:
    """Refuse to share personal data unless somebody said that it is meant."""
    private = [finding["column"] for finding in row.classification if finding["private"]]
    if private and not table.personal:
        raise Conflict(
            f"dataset {row.slug!r} holds personal data",
            field="personal",
            value=private,
            hint="share a dataset without these columns, or say that they go with it",
        )


def _known_shares(change: Change, workspace: str, names: list[str]) -> list[str]:
    return [share_row(change.conn, workspace, name).slug for name in dict.fromkeys(names)]


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _tell(change: Change, event: str, subject: str, facts: dict[str, Any]) -> None:
    change.event(event, subject=subject, data=facts)
    change.audit(event, object_=subject, detail=facts)
