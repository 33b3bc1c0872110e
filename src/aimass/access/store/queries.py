"""The richer questions: grants of a subject, pages of people and keys, what has expired."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, case, delete, exists, func, or_, select

from aimass.access.store.devices import end_devices
from aimass.access.store.tables import (
    approvals,
    attempts,
    audit_heads,
    devices,
    grants,
    group_members,
    groups,
    keys,
    links,
    revoked_tokens,
    roles,
    services,
    session_origins,
    sessions,
    sign_ins,
    users,
    workspaces,
)
from aimass.kernel.principal import ANYWHERE


def grants_of(conn: Connection, subject_kind: str, subject_id: str) -> Sequence[Row[Any]]:
    """Return the live grants of a subject, through its groups too, with the permissions of roles of a workspace."""
    mine = and_(grants.c.subject_kind == subject_kind, grants.c.subject_id == subject_id)
    if subject_kind == "user":
        my_groups = select(group_members.c.group_slug).where(group_members.c.user_id == subject_id)
        mine = or_(mine, and_(grants.c.subject_kind == "group", grants.c.subject_id.in_(my_groups)))
    return conn.execute(_live_grants().where(mine)).all()


def groups_of(conn: Connection, user: str) -> set[str]:
    """Return the slugs of the groups that somebody is a member of."""
    return set(conn.execute(select(group_members.c.group_slug).where(group_members.c.user_id == user)).scalars())


def every_grant(conn: Connection) -> Sequence[Row[Any]]:
    """Return all live grants, for the snapshot of the data plane."""
    return conn.execute(_live_grants()).all()


def _live_grants() -> Any:
    alive = or_(grants.c.workspace == ANYWHERE, and_(workspaces.c.slug.is_not(None), workspaces.c.deleted_at.is_(None)))
    own_role = and_(roles.c.workspace == grants.c.workspace, roles.c.slug == grants.c.role)
    return (
        select(grants, roles.c.permissions)
        .select_from(grants.outerjoin(workspaces, workspaces.c.slug == grants.c.workspace).outerjoin(roles, own_role))
        .where(alive)
    )


def members(conn: Connection, workspace: str, after: str, limit: int) -> Sequence[Row[Any]]:
    """Return grants of a workspace with the names of their subjects."""
    query = _named_grants().where(grants.c.workspace == workspace, grants.c.id > after)
    return conn.execute(query.order_by(grants.c.id).limit(limit)).all()


def member(conn: Connection, grant: str) -> Row[Any]:
    """Return one grant with the name of its subject."""
    return conn.execute(_named_grants().where(grants.c.id == grant)).one()


def _named_grants() -> Any:
    name = case(
        (grants.c.subject_kind == "user", users.c.name),
        (grants.c.subject_kind == "service", services.c.name),
        else_=groups.c.name,
    )
    return select(grants, name.label("subject_name")).select_from(
        grants.outerjoin(users, users.c.id == grants.c.subject_id)
        .outerjoin(services, services.c.id == grants.c.subject_id)
        .outerjoin(groups, groups.c.slug == grants.c.subject_id)
    )


def administrators(conn: Connection, workspace: str) -> set[str]:
    """Return the ids of active people who administer a whole workspace, by a group too."""
    on_all = and_(grants.c.workspace == workspace, grants.c.object == "", grants.c.role == "admin")
    direct = select(users.c.id).join(
        grants, and_(grants.c.subject_id == users.c.id, grants.c.subject_kind == "user", on_all)
    )
    through = (
        select(users.c.id)
        .join(group_members, group_members.c.user_id == users.c.id)
        .join(grants, and_(grants.c.subject_id == group_members.c.group_slug, grants.c.subject_kind == "group", on_all))
    )
    active = users.c.state == "active"
    return {row.id for query in (direct, through) for row in conn.execute(query.where(active))}


def user_page(conn: Connection, find: str | None, after: str, limit: int) -> Sequence[Row[Any]]:
    """Return people by name."""
    query = select(users).where(users.c.name_key > after).order_by(users.c.name_key).limit(limit)
    if find:
        query = query.where(users.c.name_key.contains(find.casefold(), autoescape=True))
    return conn.execute(query).all()


def workspace_page(conn: Connection, slugs: set[str] | None, after: str, limit: int) -> Sequence[Row[Any]]:
    """Return live workspaces by slug; only these slugs, or all."""
    query = select(workspaces).where(workspaces.c.deleted_at.is_(None), workspaces.c.slug > after)
    if slugs is not None:
        query = query.where(workspaces.c.slug.in_(slugs))
    return conn.execute(query.order_by(workspaces.c.slug).limit(limit)).all()


def closed_workspaces(conn: Connection) -> frozenset[str]:
    """Return the slugs of the workspaces that were deleted."""
    return frozenset(conn.execute(select(workspaces.c.slug).where(workspaces.c.deleted_at.is_not(None))).scalars())


def leaving_workspaces(conn: Connection) -> Sequence[Row[Any]]:
    """Return the workspaces that were deleted and still have their data, the oldest first."""
    query = select(workspaces).where(workspaces.c.deleted_at.is_not(None), workspaces.c.purged_at.is_(None))
    return conn.execute(query.order_by(workspaces.c.deleted_at)).all()


def key_page(conn: Connection, workspace: str, owner: str | None, after: str, limit: int) -> Sequence[Row[Any]]:
    """Return keys with the names of their owners; only of one owner, or all."""
    query = _named_keys().where(keys.c.workspace == workspace, keys.c.id > after)
    if owner is not None:
        query = query.where(keys.c.owner_id == owner)
    return conn.execute(query.order_by(keys.c.id).limit(limit)).all()


def key_by(conn: Connection, **where: str) -> Row[Any] | None:
    """Return one key with the name and state of its owner."""
    return conn.execute(_named_keys().where(*(keys.c[name] == value for name, value in where.items()))).first()


def live_keys(conn: Connection, now: datetime) -> Sequence[Row[Any]]:
    """Return every key that works at this moment."""
    works = [keys.c.revoked_at.is_(None) | (keys.c.revoked_at > now), _in_future(keys.c.expires_at, now)]
    owner_works = or_(users.c.state == "active", services.c.enabled.is_(True))
    return conn.execute(_named_keys().where(*works, owner_works, workspaces.c.deleted_at.is_(None))).all()


def _named_keys() -> Any:
    return select(
        keys,
        func.coalesce(users.c.name, services.c.slug).label("owner"),
        users.c.state.label("user_state"),
        services.c.enabled.label("service_enabled"),
        workspaces.c.deleted_at.label("workspace_deleted_at"),
    ).select_from(
        keys.outerjoin(users, users.c.id == keys.c.owner_id)
        .outerjoin(services, services.c.id == keys.c.owner_id)
        .outerjoin(workspaces, workspaces.c.slug == keys.c.workspace)
    )


def service_page(conn: Connection, workspace: str, after: str, limit: int) -> Sequence[Row[Any]]:
    """Return service accounts by slug."""
    query = select(services).where(services.c.workspace == workspace, services.c.slug > after)
    return conn.execute(query.order_by(services.c.slug).limit(limit)).all()


def live_session(conn: Connection, now: datetime, idle_since: datetime, **where: str) -> Row[Any] | None:
    """Return a session that has not ended, with the state of its user."""
    return conn.execute(
        select(sessions, users.c.name.label("user_name"), users.c.state.label("user_state"))
        .join(users, users.c.id == sessions.c.user_id)
        .where(
            sessions.c.expires_at > now,
            sessions.c.last_seen_at > idle_since,
            *(sessions.c[name] == value for name, value in where.items()),
        )
    ).first()


def sessions_of(conn: Connection, user_id: str, now: datetime, idle_since: datetime) -> Sequence[Row[Any]]:
    """Return the live sessions of a person, the last used first."""
    return conn.execute(
        select(sessions)
        .where(sessions.c.user_id == user_id, sessions.c.expires_at > now, sessions.c.last_seen_at > idle_since)
        .order_by(sessions.c.last_seen_at.desc())
    ).all()


def end_sessions(conn: Connection, user_id: str, keep: str | None = None) -> int:
    """End the sessions of a person and sign his devices out, all or all but one; return how many."""
    query = delete(sessions).where(sessions.c.user_id == user_id, sessions.c.id != (keep or ""))
    ended = end_devices(conn, devices.c.user_id == user_id, devices.c.id != (keep or ""))
    return conn.execute(query).rowcount + ended


def waiting_links(conn: Connection, kind: str, workspace: str | None, now: datetime) -> Sequence[Row[Any]]:
    """Return links that still work, with the person's name."""
    query = (
        select(links, users.c.name)
        .join(users, users.c.id == links.c.user_id)
        .where(links.c.kind == kind, links.c.expires_at > now)
        .order_by(links.c.id)
    )
    return conn.execute(query if workspace is None else query.where(links.c.workspace == workspace)).all()


def never_came(conn: Connection, invited: Collection[str]) -> Sequence[Row[Any]]:
    """Return the people who were invited, never came, and have no invitation that still works."""
    query = select(users).where(users.c.state == "invited", users.c.id.not_in(invited))
    return conn.execute(query.order_by(users.c.id)).all()


def locks(conn: Connection, since: datetime, least: int) -> dict[str, datetime]:
    """Return the marks of names that were locked by wrong attempts of late, and when the last one was."""
    query = select(attempts).where(attempts.c.failures >= least, attempts.c.last_at > since)
    return {row.sha256: row.last_at for row in conn.execute(query)}


def names_to_sign_in(conn: Connection) -> Sequence[Row[Any]]:
    """Return the people who can sign in, with the form of their names by which attempts are counted."""
    return conn.execute(select(users).where(users.c.state == "active")).all()


def approval_page(
    conn: Connection, workspace: str, state: str | None, before: str | None, limit: int
) -> Sequence[Row[Any]]:
    """Return approvals, the newest first."""
    query = select(approvals).where(approvals.c.workspace == workspace)
    if state is not None:
        query = query.where(approvals.c.state == state)
    if before is not None:
        query = query.where(approvals.c.id < before)
    return conn.execute(query.order_by(approvals.c.id.desc()).limit(limit)).all()


def group_names(conn: Connection, slug: str) -> list[str]:
    """Return the names of the people in a group."""
    query = select(users.c.name).join(group_members, group_members.c.user_id == users.c.id)
    return list(conn.execute(query.where(group_members.c.group_slug == slug).order_by(users.c.name_key)).scalars())


def has_users(conn: Connection) -> bool:
    """Tell whether there is any person."""
    return bool(conn.execute(select(exists().select_from(users))).scalar())


def was_anybody_here(conn: Connection) -> bool:
    """Tell whether any account was ever used."""
    return conn.execute(select(users.c.id).where(users.c.last_seen_at.is_not(None)).limit(1)).first() is not None


def names(conn: Connection, table: Table, ids: Sequence[str]) -> dict[str, str]:
    """Return the names of some rows by their ids."""
    found = conn.execute(select(table.c.id, table.c.name).where(table.c.id.in_(ids)))
    return {row.id: row.name for row in found}


def last_head(conn: Connection) -> Row[Any] | None:
    """Return the newest signed head."""
    return conn.execute(select(audit_heads).order_by(audit_heads.c.number.desc()).limit(1)).first()


def forget_expired(conn: Connection, now: datetime, idle_since: datetime, attempts_before: datetime) -> int:
    """Remove sessions, links and counters that mean nothing any more; return how many."""
    ended = or_(sessions.c.expires_at <= now, sessions.c.last_seen_at <= idle_since)
    queries = (
        delete(sessions).where(ended),
        delete(links).where(links.c.expires_at <= now),
        delete(sign_ins).where(sign_ins.c.expires_at <= now),
        delete(session_origins).where(~exists().where(sessions.c.id == session_origins.c.session_id)),
        delete(revoked_tokens).where(revoked_tokens.c.expires_at <= now),
        delete(attempts).where(attempts.c.last_at <= attempts_before),
    )
    return sum(conn.execute(query).rowcount for query in queries)


def forget_oldest_sign_in(conn: Connection) -> None:
    """Make room for another sign-in under way."""
    oldest = select(func.min(sign_ins.c.expires_at)).scalar_subquery()
    conn.execute(delete(sign_ins).where(sign_ins.c.expires_at == oldest))


def revoked_tokens_at(conn: Connection, now: datetime) -> list[str]:
    """Return the tokens that were taken back and would still count."""
    wanted = select(revoked_tokens.c.jti).where(revoked_tokens.c.expires_at > now).order_by(revoked_tokens.c.jti)
    return list(conn.execute(wanted).scalars())


def _in_future(column: Any, now: datetime) -> Any:
    return or_(column.is_(None), column > now)
