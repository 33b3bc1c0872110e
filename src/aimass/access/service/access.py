"""The service of the room: all parts in one object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from aimass.access.domain.credentials import fingerprint
from aimass.access.figures import METRICS
from aimass.access.service.approvals import Approvals
from aimass.access.service.audit import Audit
from aimass.access.service.devices import Devices
from aimass.access.service.discovery import Discovery
from aimass.access.service.erasing import Erasing
from aimass.access.service.ground import Ground
from aimass.access.service.hashing import HashCost, Passwords
from aimass.access.service.keys import Keys, Services
from aimass.access.service.members import Groups, Members
from aimass.access.service.memory import Memory
from aimass.access.service.oauth import OAuth
from aimass.access.service.oidc import SingleSignOn
from aimass.access.service.passwords import PasswordCases
from aimass.access.service.sealer import Sealer
from aimass.access.service.second_factor import SecondFactor
from aimass.access.service.workspaces import Workspaces
from aimass.access.settings import AccessSettings
from aimass.access.store import queries
from aimass.access.store.devices import forget_devices
from aimass.access.store.tables import keys as key_rows
from aimass.access.store.tables import services, users
from aimass.infra.database import Database
from aimass.infra.notify import Notify
from aimass.infra.secrets import Secrets, SigningKeys
from aimass.kernel.counters import Counters
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal

LEAD_S = 5.0  # every gateway worker knows a new key by then
INVITATION_ENDS, LOCKED_OF_LATE = timedelta(days=2), timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A person who needs somebody who manages access, why, and since when."""

    kind: str
    name: str
    user: str
    since: datetime
    workspace: str = ANYWHERE


class Access(
    Workspaces,
    Erasing,
    PasswordCases,
    SingleSignOn,
    SecondFactor,
    Services,
    Keys,
    Members,
    Groups,
    Approvals,
    OAuth,
    Devices,
    Audit,
    Sealer,
):
    """People, service accounts, keys, roles, approvals, and the verification of the audit log.

    Parameters
    ----------
    database
        Where everything lives.
    secrets
        Seals the seeds of authenticators.
    keys
        Folder with mode 0700 for the platform's signing keys and the signed head of the audit log.
    settings
        How long things live; read from the environment when absent.
    notify
        Sends invitations and reset links, where it is set up.
    counters
        Where sign-ins and tokens are counted.
    """

    def __init__(
        self,
        database: Database,
        secrets: Secrets,
        keys: Path,
        settings: AccessSettings | None = None,
        notify: Notify | None = None,
        counters: Counters | None = None,
    ) -> None:
        settings = settings or AccessSettings()
        super().__init__(
            Ground(
                database=database,
                settings=settings,
                secrets=secrets,
                token_keys=SigningKeys(keys / "tokens.json", database.clock, secrets=secrets, lead_s=LEAD_S),
                audit_keys=SigningKeys(keys / "audit.json", database.clock),
                anchor=keys / "audit-head.json",
                discovery=Discovery(settings.providers_allow, settings.provider_timeout_s),
                passwords=Passwords(_cost(settings)),
                memory=Memory(settings.cache_s),
                notify=notify,
                counters=counters or Counters(METRICS),
            )
        )

    def tidy(self) -> int:
        """Forget what has expired: sessions, devices, links, counters of attempts; return how many rows went."""
        now = self._now()
        attempts_before = now - timedelta(seconds=8 * self._settings.lock_most_s)
        with self._database.change(SYSTEM, ANYWHERE) as change:
            gone = forget_devices(change.conn, now, self._idle_device(now))
            return gone + queries.forget_expired(change.conn, now, self._idle_since(now), attempts_before)

    def names_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the names of people, service accounts and keys by their ids, for logs that carry ids only."""
        wanted = sorted(set(ids))
        with self._database.read() as conn:
            tables = (users, services, key_rows)
            return {id_: name for table in tables for id_, name in queries.names(conn, table, wanted).items()}

    def waiting_people(self, who: Principal) -> list[Waiting]:
        """Return the people who need somebody who manages access.

        Those who lost their password, whose invitation ends soon or is over, and whose name was locked of late.
        """
        who.need("access.manage", ANYWHERE)
        now = self._now()
        with self._database.read() as conn:
            lost = queries.waiting_links(conn, "forgotten", None, now)
            invited = queries.waiting_links(conn, "invitation", None, now)
            over = queries.never_came(conn, {row.user_id for row in invited})
            locks = queries.locks(conn, now - LOCKED_OF_LATE, self._settings.lock_after)
            people = queries.names_to_sign_in(conn) if locks else []
        soon = [row for row in invited if row.expires_at - now <= INVITATION_ENDS]
        marks = {fingerprint(f"attempt:{row.name_key}"): row for row in people}
        locked = [(marks[mark], since) for mark, since in locks.items() if mark in marks]
        return [
            *(Waiting("forgotten", row.name, row.user_id, row.created_at, row.workspace) for row in lost),
            *(Waiting("invitation", row.name, row.user_id, row.created_at, row.workspace) for row in soon),
            *(Waiting("uninvited", row.name, row.id, row.created_at) for row in over),
            *(Waiting("locked", row.name, row.id, since) for row, since in locked),
        ]


def _cost(settings: AccessSettings) -> HashCost:
    return HashCost(
        memory_kib=settings.password_memory_kib,
        rounds=settings.password_rounds,
        lanes=settings.password_lanes,
        at_once=settings.hashes_at_once,
        wait_s=settings.hash_wait_s,
    )
