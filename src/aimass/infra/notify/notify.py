"""The service: post a message inside a change, deliver it later, try again, give up in the open."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson
from sqlalchemy import delete, insert, select, update

from aimass.infra.database import Change, Database, scrub
from aimass.infra.notify.addresses import AddressGuard
from aimass.infra.notify.mail import send_mail
from aimass.infra.notify.messages import Mail, Message, Webhook
from aimass.infra.notify.settings import NotifySettings
from aimass.infra.notify.tables import notify_outbox as outbox
from aimass.infra.notify.webhook import call_webhook
from aimass.infra.secrets import Secrets
from aimass.kernel.erasing import Person
from aimass.kernel.errors import AimassError, Conflict, Unavailable
from aimass.kernel.ids import new_id
from aimass.kernel.principal import ANYWHERE, SYSTEM

_BATCH = 20
_KINDS: dict[str, type[Message]] = {"mail": Mail, "webhook": Webhook}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a message; its content is gone once it was delivered or given up."""

    id: str
    kind: Literal["mail", "webhook"]
    workspace: str
    state: Literal["waiting", "sent", "given_up"]
    tries: int
    created_at: datetime
    due_at: datetime
    error: str


class Notify:
    """Mail and webhooks, at least once: a receiver can drop a repetition by the id that each message carries.

    Parameters
    ----------
    database
        Holds the outbox, so that a message is posted in the same transaction as what it tells of.
    secrets
        Seals the content while it waits: letters carry links that let people in.
    settings
        Mail server, allowed addresses, tries.
    """

    def __init__(self, database: Database, secrets: Secrets, settings: NotifySettings | None = None) -> None:
        self._database = database
        self._secrets = secrets
        self._settings = settings or NotifySettings()
        self._guard = AddressGuard(self._settings.allow)

    @property
    def can_mail(self) -> bool:
        """Tell whether a mail server is set up."""
        return bool(self._settings.smtp_host)

    def post(self, change: Change, message: Message) -> str:
        """Put a message into the outbox; it leaves after the commit. Returns its id."""
        id_ = new_id()
        kind = "mail" if isinstance(message, Mail) else "webhook"
        change.execute(
            insert(outbox).values(
                id=id_,
                kind=kind,
                workspace=change.workspace,
                state="waiting",
                sealed=self._secrets.seal(orjson.dumps(asdict(message), default=str), about=f"notify:{id_}"),
                tries=0,
                created_at=change.now,
                due_at=change.now,
                error="",
            )
        )
        return id_

    def send(self, message: Message, id_: str | None = None) -> None:
        """Deliver a message at once, for a button that tries the settings; raises what went wrong."""
        clock, id_ = self._database.clock, id_ or new_id()
        if isinstance(message, Webhook):
            call_webhook(self._guard, clock, id_, message, self._settings.timeout_s)
            return
        if not self.can_mail:
            raise Conflict("no mail server is set up", hint="set AIMASS_NOTIFY_SMTP_HOST")
        send_mail(self._settings, clock, id_, message)

    def deliver_due(self) -> int:
        """Deliver what is due and return how many messages went out; run it again and again in control."""
        sent = 0
        for row in self._claim():
            sent += self._deliver(row)
        return sent

    def list(self, workspace: str | None = None, limit: int = 100) -> list[Delivery]:
        """List deliveries, the newest first."""
        query = select(outbox).order_by(outbox.c.id.desc()).limit(limit)
        if workspace is not None:
            query = query.where(outbox.c.workspace == workspace)
        names = Delivery.__slots__
        with self._database.read() as conn:
            return [Delivery(**{name: getattr(row, name) for name in names}) for row in conn.execute(query)]

    def forget(self, person: Person) -> int:
        """Give up what waits for or tells of a person, and scrub what went wrong; return how many messages that were."""
        here = [] if person.workspace == ANYWHERE else [outbox.c.workspace == person.workspace]
        with self._database.change(SYSTEM, person.workspace) as change:
            rows = change.execute(select(outbox).where(outbox.c.sealed.is_not(None), *here)).all()
            named = [row.id for row in rows if self._names(row, person)]
            given_up = {"state": "given_up", "sealed": None, "error": "erased"}
            change.execute(update(outbox).where(outbox.c.id.in_(named)).values(**given_up))
            return len(named) + len(scrub(change, outbox, ["error"], person, *here))

    def _names(self, row: Any, person: Person) -> bool:
        try:
            content = orjson.loads(self._secrets.unseal(row.sealed, about=f"notify:{row.id}"))
        except AimassError:
            return False  # nobody can read it any more
        return person.scrubbed(content) != content

    def _claim(self) -> list[Any]:
        """Take what is due, and put it off for as long as a delivery may take, so that nobody else sends it too."""
        now = self._database.clock.now()
        due = (outbox.c.state == "waiting", outbox.c.due_at <= now)
        with self._database.read() as conn:
            if conn.execute(select(outbox.c.id).where(*due).limit(1)).first() is None:
                return []
        lease = now + timedelta(seconds=_BATCH * 2 * self._settings.timeout_s)
        with self._database.change(SYSTEM, "*") as change:
            found = change.execute(select(outbox).where(*due).order_by(outbox.c.due_at).limit(_BATCH)).all()
            ids = [row.id for row in found]
            change.execute(update(outbox).where(outbox.c.id.in_(ids)).values(due_at=lease, tries=outbox.c.tries + 1))
            old = now - timedelta(seconds=self._settings.keep_s)
            change.execute(delete(outbox).where(outbox.c.state != "waiting", outbox.c.created_at < old))
        return list(found)

    def _deliver(self, row: Any) -> bool:
        values: dict[str, Any] = {"state": "sent", "sealed": None, "error": ""}
        try:
            content = orjson.loads(self._secrets.unseal(row.sealed, about=f"notify:{row.id}"))
            self.send(_KINDS[row.kind](**content), row.id)
        except AimassError as error:
            values = self._after_failure(row, error)
        with self._database.change(SYSTEM, "*") as change:
            change.execute(update(outbox).where(outbox.c.id == row.id).values(**values))
            if values["state"] == "given_up":
                change.audit("notify.give_up", object_=f"{row.kind}:{row.id}", detail={"tries": row.tries + 1})
        return values["state"] == "sent"

    def _after_failure(self, row: Any, error: AimassError) -> dict[str, Any]:
        tries = row.tries + 1
        if tries >= self._settings.tries or not isinstance(error, Unavailable):
            return {"state": "given_up", "sealed": None, "error": error.message}
        wait = timedelta(seconds=self._settings.first_wait_s * 2 ** (tries - 1))
        return {"state": "waiting", "error": error.message, "due_at": self._database.clock.now() + wait}
