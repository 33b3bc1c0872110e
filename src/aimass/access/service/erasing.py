"""Erasing a person: the account, and what approvals say."""

from __future__ import annotations

from sqlalchemy import func, select

from aimass.access.errors import LastAdministrator
from aimass.access.service.people import People
from aimass.access.store.tables import approvals, keys, users
from aimass.infra.database import scrub
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import ANYWHERE, SYSTEM

_LAST = "an account of this name is the last administrator: make another person admin, then erase once more"


class Erasing(People):
    """What erases a person; the room storage asks for it."""

    def erase_person(self, person: Person) -> list[Erased]:
        """Scrub approvals; where the whole platform is to forget the person, erase accounts of this id, name or address."""
        here = [] if person.workspace == ANYWHERE else [approvals.c.workspace == person.workspace]
        with self._change(SYSTEM, person.workspace) as change:
            scrubbed = scrub(change, approvals, ["reason", "comment", "data"], person, *here)
            ours = [] if person.workspace == ANYWHERE else [keys.c.workspace == person.workspace]
            named = scrub(change, keys, ["name"], person, *ours)
        erased, left = 0, list[str]()
        for user in self._accounts(person) if person.workspace == ANYWHERE else ():
            try:
                self.drop_user(SYSTEM, user, is_kept=user in person.accounts)
                erased += 1
            except LastAdministrator:
                left.append(_LAST)
        accounts = Erased(what="accounts", count=erased, left=tuple(left))
        return [
            accounts,
            Erased(what="approvals", count=len(scrubbed)),
            Erased(what="names of keys", count=len(named)),
        ]

    def _accounts(self, person: Person) -> list[str]:
        keys = [value.casefold() for value in person.values]
        named = (
            users.c.name.in_(person.values)
            | func.lower(users.c.email).in_(keys)
            | users.c.id.in_((*person.values, *person.accounts))
        )
        with self._database.read() as conn:
            query = select(users.c.id).where(named, ~users.c.name.startswith("erased-"))
            return list(conn.execute(query).scalars())
