"""Rows that are pushed to a source: by programs with a key, and by webhooks that can only sign."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Row

from aimass.collector.commands import Inbox, NewHook, SetHook
from aimass.collector.connectors.push.body import lines_of, unpacked
from aimass.collector.connectors.push.manifest import PushStream
from aimass.collector.connectors.push.signature import PREFIX, Signed, check_secret, delivery_of
from aimass.collector.connectors.push.spool import Receipt
from aimass.collector.domain import PUSHED, OneSource, Source
from aimass.collector.events import HOOK_CHANGED, HOOK_CLOSED
from aimass.collector.service.ground import Part, tell
from aimass.collector.settings import CollectorSettings
from aimass.collector.store import need_source, pushed_sources, put_source, running_of, source_by_id
from aimass.collector.store.hooks import drop_hook, hook_at, hook_of, put_hook
from aimass.infra.database import Change
from aimass.kernel.clock import instant
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.errors import Conflict, Invalid, NotFound, Stale
from aimass.kernel.keeping import Going, Holding
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case

HOOKS = "/hooks"
_SOURCE = "/workspaces/{workspace}/sources/{source}"
_MOST_KEY = 255
_HOOKED = "hook:"  # before the names that senders of webhooks give
_RULE = "rows that were pushed are kept until they are collected"
_GONE = "an inbox goes with its source"
_LATER = "rows that were pushed may be on their way into a dataset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a request brings: its body as it came, and its headers by names in small letters."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def encoding(self) -> str:
        """How the body is packed."""
        return self.headers.get("content-encoding", "")


class Pushing(Part):
    """Use cases of pushing, and what the platform asks of inboxes."""

    def push(self, who: Principal, workspace: str, source: str, sent: Sent) -> Receipt:
        """Take rows from a program; when this returns they are on disk."""
        who.need("collector.use", workspace, f"source:{source}")
        key = sent.headers.get("idempotency-key", "").strip()
        if len(key) > _MOST_KEY:
            raise Invalid("the key is too long", field="Idempotency-Key", allowed=f"at most {_MOST_KEY} characters")
        return self._take(_pushed(self._source(workspace, source)), sent, f"key:{key}" if key else None)

    def pushed_by_hook(self, token: str, sent: Sent, closed: frozenset[str]) -> Receipt:
        """Take what a webhook brings, once its signature is checked.

        Parameters
        ----------
        closed
            The workspaces in which nothing is taken.

        Raises
        ------
        NotFound
            Nothing is taken at this address.
        Unauthenticated
            The signature does not fit, or is too old.
        """
        source, hook = self.hooked(token, closed)
        now = self._database.clock.now()
        told = _told(source)
        valid = [one["secret"] for one in self._hook_secrets(hook) if _counts(one, now)]
        signed = Signed(headers=sent.headers, body=sent.body, now_s=now.timestamp(), tolerance_s=told.tolerance_s)
        delivery = delivery_of(told.scheme, signed, valid)[:_MOST_KEY]
        return self._take(source, sent, f"{_HOOKED}{delivery}" if delivery else None)

    def hooked(self, token: str, closed: frozenset[str]) -> tuple[Source, Row[Any]]:
        """Return the source behind an address; every address at which nothing is taken is told the same."""
        with self._database.read() as conn:
            hook = hook_at(conn, token)
            source = None if hook is None else source_by_id(conn, hook.source_id)
        if hook is None or source is None or source.workspace in closed or _told(source).scheme == "none":
            raise NotFound("there is nothing at this address", hint="copy the address from the page of the source")
        return source, hook

    def _take(self, source: Source, sent: Sent, key: str | None) -> Receipt:
        lines = lines_of(unpacked(sent.body, sent.encoding, CollectorSettings().max_push_bytes))
        is_strict = key is None or not key.startswith(_HOOKED)
        spool = self._ground.inboxes.spool(source)
        return spool.append(lines.data, lines.rows, key, self._now_ms(), is_strict=is_strict)

    @use_case(f"GET {_SOURCE}/inbox", permission="collector.read", cli="sources inbox", on="source")
    def get_inbox(self, who: Principal, command: OneSource) -> Inbox:
        """Show what was pushed to a source and waits, when something came last, and the addresses to push to."""
        source = _pushed(self._source(command.workspace, command.source))
        with self._database.read() as conn:
            hook = hook_of(conn, source.id)
        found, scheme = self._ground.inboxes.waiting(source), _told(source).scheme
        last = self._ground.inboxes.spool(source).received_ms()
        old = hook.old_until if hook is not None and hook.old_until else None
        return Inbox(
            source=source.slug,
            push=f"{self._ground.address}/api/v1{_SOURCE.format(workspace=source.workspace, source=source.slug)}/push",
            hook="" if hook is None or scheme == "none" else self._address(hook.token),
            scheme=scheme,
            rows=found.rows,
            size_bytes=found.size_bytes,
            is_counted=found.is_counted,
            most_bytes=CollectorSettings().max_inbox_bytes,
            received_at=None if last is None else datetime.fromtimestamp(last / 1000, UTC),
            changed_at=None if hook is None else hook.changed_at,
            old_until=old if old and old > self._database.clock.now() else None,
        )

    @use_case(f"POST {_SOURCE}/hook", permission="collector.edit", cli="sources hook", on="source", status=201)
    def set_hook(self, who: Principal, command: SetHook) -> NewHook:
        """Take webhooks at an address of its own, or change their secret; the one before stays valid for a while."""
        with self._database.change(who, command.workspace) as change:
            source = _pushed(need_source(change.conn, command.workspace, command.source))
            scheme = command.scheme or _told(source).scheme
            if scheme == "none":
                allowed = ["github", "stripe", "standard"]
                raise Invalid("say how the sender signs", field="scheme", value=None, allowed=allowed)
            secret = command.secret or _new_secret(scheme)
            check_secret(scheme, secret)
            keep_h = command.keep_h if scheme == _told(source).scheme else 0.0  # who signs otherwise has another secret
            old = self._put(change, source, secret, keep_h)
            parameters = {**source.reading["parameters"], "scheme": scheme}
            if not put_source(change, source, reading={**source.reading, "parameters": parameters}):
                raise Stale(f"source {source.slug!r} changed meanwhile")
            facts = {"scheme": scheme, "keep_h": keep_h}
            tell(change, HOOK_CHANGED, f"source:{source.slug}", facts)
            made = hook_of(change.conn, source.id)
        token = "" if made is None else made.token
        return NewHook(source=source.slug, hook=self._address(token), scheme=scheme, secret=secret, old_until=old)

    def _put(self, change: Change, source: Source, secret: str, keep_h: float) -> datetime | None:
        """Write the secret of a webhook, and until when the one before counts; return that moment."""
        before = hook_of(change.conn, source.id)
        until = change.now + timedelta(hours=keep_h)
        newest = [] if before is None else self._hook_secrets(before)[:1]
        kept = [{"secret": one["secret"], "until": instant(until)} for one in newest if keep_h]
        told = [{"secret": secret, "until": None}, *kept]
        sealed = self._ground.secrets.seal(orjson.dumps(told), about=_about(source.id))
        token = secrets.token_urlsafe(24) if before is None else before.token
        old = until if kept else None
        values = {"workspace": source.workspace, "token": token, "sealed": sealed, "changed_at": change.now}
        put_hook(change, source.id, {**values, "old_until": old})
        return old

    @use_case(f"DELETE {_SOURCE}/hook", permission="collector.edit", cli="sources close-hook", on="source")
    def close_hook(self, who: Principal, command: OneSource) -> None:
        """Take no webhooks any more: address and secrets are gone for good; what came is collected."""
        with self._database.change(who, command.workspace) as change:
            source = _pushed(need_source(change.conn, command.workspace, command.source))
            if not drop_hook(change, source.id):
                raise NotFound(f"source {source.slug!r} takes no webhooks", field="source", value=source.slug)
            parameters = {**source.reading["parameters"], "scheme": "none"}
            put_source(change, source, reading={**source.reading, "parameters": parameters})
            tell(change, HOOK_CLOSED, f"source:{source.slug}", {})

    def _address(self, token: str) -> str:
        return f"{self._ground.address}{HOOKS}/{token}"

    def _hook_secrets(self, hook: Row[Any]) -> list[dict[str, Any]]:
        return orjson.loads(self._ground.secrets.unseal(hook.sealed, about=_about(hook.source_id)))

    # -- what the platform asks

    def erase_pushed(self, person: Person) -> list[Erased]:
        """Blank the rows that name a person and were not collected yet; what was is erased from the datasets."""
        with self._database.read() as conn:
            found = [one for one in pushed_sources(conn) if person.looks_at(one.workspace)]
            running = any(running_of(conn, one.id) is not None for one in found)
        there = [one for one in found if self._ground.inboxes.folder(one).exists()]
        names = _names(person)
        count = sum(self._ground.inboxes.spool(one).erase(names, self._now_ms()) for one in there)
        return [Erased(what="pushed rows", count=count, later=(_LATER,) if count and running else ())]

    def pushed_holdings(self) -> list[Holding]:
        """Return how much room each inbox takes."""
        with self._database.read() as conn:
            known = {one.id: one for one in pushed_sources(conn)}
        return [
            Holding(
                part="pushed rows",
                name=known[one.source].name,
                workspace=one.workspace,
                size_bytes=one.size_bytes,
                count=1,
                rule=_RULE,
                path=f"/{one.workspace}/sources/{known[one.source].slug}",
            )
            for one in self._ground.inboxes.held()
            if one.source in known
        ]

    def forget_inboxes(self) -> list[Going]:
        """Remove inboxes whose source is gone: a process that died could leave one."""
        held = list(self._ground.inboxes.held())  # before the sources: one that is made meanwhile keeps its inbox
        with self._database.read() as conn:
            known = {one.id for one in pushed_sources(conn)}
        now, gone = self._database.clock.now(), list[Going]()
        for one in held:
            if one.source not in known:
                self._ground.inboxes.remove(one)
                told = {"kind": "inbox", "name": one.source, "workspace": one.workspace, "size_bytes": one.size_bytes}
                gone.append(Going(**told, since=now, goes_at=now, rule=_GONE))
        return gone

    def leave(self, workspace: str) -> None:
        """Remove what was pushed to a workspace that is gone."""
        self._ground.inboxes.leave(workspace)


def _pushed(source: Source) -> Source:
    if source.kind != PUSHED:
        hint = "make a connection of the connector 'push', and a source of it"
        raise Conflict(f"nothing is pushed to source {source.slug!r}", field="source", value=source.slug, hint=hint)
    return source


def _told(source: Source) -> PushStream:
    return PushStream.model_validate(source.reading["parameters"])


def _about(source_id: str) -> str:
    return f"hook:{source_id}"


def _counts(one: Mapping[str, Any], now: datetime) -> bool:
    return one["until"] is None or datetime.fromisoformat(one["until"]) > now


def _new_secret(scheme: str) -> str:
    if scheme == "standard":
        return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    return PREFIX + secrets.token_urlsafe(32) if scheme == "stripe" else secrets.token_urlsafe(32)


def _names(person: Person) -> Any:
    """Return what tells whether a row names a person: in one column, or anywhere."""

    def cell(value: Any) -> bool:
        if isinstance(value, Mapping):
            return any(map(cell, value.values()))
        if isinstance(value, list):
            return any(map(cell, value))
        text = value if isinstance(value, str) else str(value)
        return text in person.values or (isinstance(value, str) and person.is_in(text))

    def row(told: dict[str, Any]) -> bool:
        if person.column is not None:
            return person.column in told and cell(told[person.column])
        return cell(told)

    return row
