"""The questions about devices: those that wait, those of a person, and the line of refresh tokens of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, or_, select

from aimass.access.store.tables import device_requests, devices, refresh_tokens, users


def live_device(conn: Connection, now: datetime, idle_since: datetime, id_: str) -> Row[Any] | None:
    """Return a device that is signed in, with the name of its person, who is not disabled."""
    return conn.execute(_live(now, idle_since).where(devices.c.id == id_)).first()


def devices_of(conn: Connection, user_id: str, now: datetime, idle_since: datetime) -> Sequence[Row[Any]]:
    """Return the devices of a person, the last used first."""
    query = _live(now, idle_since).where(devices.c.user_id == user_id)
    return conn.execute(query.order_by(devices.c.last_seen_at.desc(), devices.c.id)).all()


def live_devices(conn: Connection, now: datetime, idle_since: datetime) -> Sequence[Row[Any]]:
    """Return every device that is signed in."""
    return conn.execute(_live(now, idle_since).order_by(devices.c.id)).all()


def _live(now: datetime, idle_since: datetime) -> Any:
    return (
        select(devices, users.c.name.label("user_name"))
        .join(users, users.c.id == devices.c.user_id)
        .where(users.c.state == "active", devices.c.expires_at > now, devices.c.last_seen_at > idle_since)
    )


def end_devices(conn: Connection, *where: Any) -> int:
    """Sign devices out together with their refresh tokens; return how many."""
    of_them = select(devices.c.id).where(*where)
    conn.execute(delete(refresh_tokens).where(refresh_tokens.c.device_id.in_(of_them)))
    return conn.execute(delete(devices).where(*where)).rowcount


def forget_devices(conn: Connection, now: datetime, idle_since: datetime) -> int:
    """Forget devices and questions whose time is over; return how many."""
    asked = conn.execute(delete(device_requests).where(device_requests.c.expires_at <= now)).rowcount
    return asked + end_devices(conn, or_(devices.c.expires_at <= now, devices.c.last_seen_at <= idle_since))


def has_spent_child(conn: Connection, token: str) -> bool:
    """Tell whether a token that came out of this one was used."""
    spent = exists().where(refresh_tokens.c.parent == token, refresh_tokens.c.spent_at.is_not(None))
    return bool(conn.execute(select(spent)).scalar())


def make_room(conn: Connection, address: str, *, most: int, most_of_one: int) -> None:
    """Forget the oldest question of an address, or of all, that asks too much: anybody may ask."""
    for where, limit in ([device_requests.c.address == address], most_of_one), ([], most):
        found = select(func.count()).select_from(device_requests).where(*where)
        if conn.execute(found).scalar_one() >= limit:
            oldest = select(device_requests.c.sha256).where(*where).order_by(device_requests.c.expires_at).limit(1)
            conn.execute(delete(device_requests).where(device_requests.c.sha256.in_(oldest)))
