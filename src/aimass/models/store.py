"""Tables of the room models and the queries on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    select,
    update,
)

from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.pages import decode_cursor, decode_number
from aimass.models.domain import (
    Alias,
    Check,
    Decide,
    EditCard,
    Facts,
    ListModels,
    ListReviews,
    ListVersions,
    Model,
    ModelVersion,
    OneVersion,
    Review,
    StepVersion,
)
from aimass.models.package import parse_signature

models = Table(
    "models_models",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("next_number", Integer, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "slug"),
)

versions = Table(
    "models_versions",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("model", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("key", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("review", String(16), nullable=True),
    Column("description", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("runtime", String(63), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("signature", Json, nullable=False),
    Column("why_python", Text, nullable=True),
    Column("origin", String(16), nullable=False),
    Column("source", String(300), nullable=False),
    Column("facts", Json, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("author", String(120), nullable=False),
    Column("author_name", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "model", "number"),
    UniqueConstraint("workspace", "model", "key"),
    Index(None, "digest"),
)

reviews = Table(
    "models_reviews",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("model", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("checks", Json, nullable=False),
    Column("author", String(120), nullable=False),
    Column("requested_by", String(120), nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("checked_at", Instant, nullable=True),
    Column("decided_by", String(120), nullable=True),
    Column("decided_at", Instant, nullable=True),
    Column("comment", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Index(None, "workspace", "model", "number"),
    Index(None, "workspace", "state"),
)

cards = Table(
    "models_cards",
    metadata,
    Column("workspace", String(63), primary_key=True),
    Column("model", String(63), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sections", Json, nullable=False),
    Column("version", Integer, nullable=False),
)

aliases = Table(
    "models_aliases",
    metadata,
    Column("workspace", String(63), primary_key=True),
    Column("model", String(63), primary_key=True),
    Column("alias", String(63), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("previous", Integer, nullable=True),
    Column("changed_by", String(120), nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
)

successors = Table(
    "models_successors",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("successor", String(64), nullable=False),
    Column("at", Instant, nullable=False),
)


def values_of(row: Row[Any]) -> dict[str, Any]:
    """Return a row as a dictionary."""
    return dict(row._mapping)  # noqa: SLF001 the public name of the mapping view of a row


def find_model(conn: Connection, workspace: str, slug: str) -> Model | None:
    """Return a model."""
    row = conn.execute(select(models).where(models.c.workspace == workspace, models.c.slug == slug)).first()
    return None if row is None else _models(conn, workspace, [row])[0]


def models_page(conn: Connection, command: ListModels) -> Sequence[Model]:
    """Return one model more than the page wants, newest first."""
    query = select(models).where(models.c.workspace == command.workspace, models.c.deleted_at.is_(None))
    if command.text:
        query = query.where(func.lower(models.c.name).contains(command.text.lower(), autoescape=True))
    if command.alias:
        named = select(aliases.c.model).where(aliases.c.workspace == command.workspace)
        query = query.where(models.c.slug.in_(named.where(aliases.c.alias == command.alias)))
    if command.review:
        query = query.where(models.c.slug.in_(_newest_is(command.workspace, command.review)))
    if command.cursor:
        query = query.where(models.c.id < decode_cursor(command.cursor))
    rows = conn.execute(query.order_by(models.c.id.desc()).limit(command.limit + 1)).all()
    return _models(conn, command.workspace, rows)


def _newest_is(workspace: str, review: str) -> Select[Any]:
    """Select the models whose newest version has its review there."""
    newest = select(versions.c.model, func.max(versions.c.number).label("number")).where(
        versions.c.workspace == workspace, versions.c.deleted_at.is_(None)
    )
    last = newest.group_by(versions.c.model).subquery()
    both = (versions.c.model == last.c.model) & (versions.c.number == last.c.number)
    query = select(versions.c.model).join(last, both).where(versions.c.workspace == workspace)
    return query.where(versions.c.review == review)


def aliases_in_use(conn: Connection, workspace: str) -> list[str]:
    """Return every name of an alias in a workspace."""
    query = select(aliases.c.alias).where(aliases.c.workspace == workspace).distinct().order_by(aliases.c.alias)
    return list(conn.execute(query).scalars())


def _models(conn: Connection, workspace: str, rows: Sequence[Row[Any]]) -> list[Model]:
    slugs = [row.slug for row in rows]
    named: dict[str, dict[str, int]] = {}
    for row in conn.execute(select(aliases).where(aliases.c.workspace == workspace, aliases.c.model.in_(slugs))):
        named.setdefault(row.model, {})[row.alias] = row.number
    newest = select(versions.c.model, func.max(versions.c.number).label("newest")).where(
        versions.c.workspace == workspace, versions.c.model.in_(slugs), versions.c.deleted_at.is_(None)
    )
    latest = {row.model: row.newest for row in conn.execute(newest.group_by(versions.c.model))}
    found: list[Model] = []
    for row in rows:
        values = values_of(row)
        for name in ("next_number", "deleted_at"):
            values.pop(name)
        found.append(Model(latest=latest.get(row.slug), aliases=named.get(row.slug, {}), **values))
    return found


def add_model(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new model."""
    change.execute(insert(models).values(**values))


def put_model(change: Change, workspace: str, slug: str, **values: Any) -> None:
    """Change a model."""
    query = update(models).where(models.c.workspace == workspace, models.c.slug == slug)
    change.execute(query.values(version=models.c.version + 1, **values))


def take_number(change: Change, workspace: str, slug: str) -> int:
    """Return the number for a new version; numbers are never used again."""
    where = (models.c.workspace == workspace, models.c.slug == slug)
    change.execute(update(models).where(*where).values(next_number=models.c.next_number + 1))
    return change.execute(select(models.c.next_number).where(*where)).scalar_one() - 1


def retire_model(change: Change, model: Model) -> None:
    """Delete a model softly: it and everything that belongs to it goes under a name that nobody can ask for."""
    gone = f"~{model.id}"
    for table in (versions, reviews, cards, aliases):
        where = (table.c.workspace == model.workspace, table.c.model == model.slug)
        change.execute(update(table).where(*where).values(model=gone))
    where = (models.c.workspace == model.workspace, models.c.slug == model.slug)
    change.execute(update(models).where(*where).values(slug=gone, deleted_at=change.now))


def _there(workspace: str, model: str) -> Select[Any]:
    """Select the versions of a model that were not deleted."""
    where = (versions.c.workspace == workspace, versions.c.model == model, versions.c.deleted_at.is_(None))
    return select(versions).where(*where)


def find_version(conn: Connection, workspace: str, model: str, number: int) -> ModelVersion | None:
    """Return a version."""
    row = conn.execute(_there(workspace, model).where(versions.c.number == number)).first()
    return None if row is None else _versions(conn, [row])[0]


def version_by_key(conn: Connection, workspace: str, model: str, key: str) -> ModelVersion | None:
    """Return the version that was registered under a key."""
    row = conn.execute(_there(workspace, model).where(versions.c.key == key)).first()
    return None if row is None else _versions(conn, [row])[0]


def versions_page(conn: Connection, command: ListVersions) -> Sequence[ModelVersion]:
    """Return one version more than the page wants, newest first."""
    query = _there(command.workspace, command.model)
    if command.review:
        query = query.where(versions.c.review == command.review)
    if command.cursor:
        query = query.where(versions.c.number < decode_number(command.cursor))
    return _versions(conn, conn.execute(query.order_by(versions.c.number.desc()).limit(command.limit + 1)).all())


def _versions(conn: Connection, rows: Sequence[Row[Any]]) -> list[ModelVersion]:
    found: list[ModelVersion] = []
    for row in rows:
        values = values_of(row)
        for name in ("key", "deleted_at"):
            values.pop(name)
        values["signature"] = parse_signature(values["signature"])
        values["facts"] = _facts(values["facts"])
        where = (aliases.c.workspace == row.workspace, aliases.c.model == row.model, aliases.c.number == row.number)
        named = conn.execute(select(aliases.c.alias).where(*where).order_by(aliases.c.alias)).scalars()
        found.append(ModelVersion(aliases=tuple(named), **values))
    return found


def _facts(raw: Mapping[str, Any]) -> Facts:
    steps = tuple(StepVersion(**step) for step in raw.get("steps", ()))
    return Facts(**{**raw, "notes": tuple(raw.get("notes", ())), "steps": steps})


def graphs_with(conn: Connection, workspace: str, version: str) -> list[ModelVersion]:
    """Return the approved graphs that have a version, by its id, among their steps."""
    query = select(versions).where(versions.c.workspace == workspace, versions.c.runtime == "graph")
    rows = conn.execute(query.where(versions.c.deleted_at.is_(None), versions.c.review == "APPROVED")).all()
    return [one for one in _versions(conn, rows) if any(step.id == version for step in one.facts.steps)]


def reviews_of(conn: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Return how far the review of versions is, by id, deleted ones included; one that is gone for good is missing."""
    query = select(versions.c.id, versions.c.review, versions.c.deleted_at).where(versions.c.id.in_(ids))
    return {row.id: row.review or "" for row in conn.execute(query)}


def add_version(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new version."""
    change.execute(insert(versions).values(**values))


def put_version(change: Change, version: OneVersion, **values: Any) -> None:
    """Change a version."""
    query = update(versions).where(versions.c.workspace == version.workspace, versions.c.model == version.model)
    change.execute(query.where(versions.c.number == version.number).values(version=versions.c.version + 1, **values))


def retire_version(change: Change, version: ModelVersion) -> None:
    """Delete a version softly; its number is never used again, its key may be."""
    values = {"deleted_at": change.now, "key": f"~{version.id}"}
    change.execute(update(versions).where(versions.c.id == version.id).values(**values))


def _review(row: Row[Any]) -> Review:
    values = values_of(row)
    return Review(checks=tuple(Check(**check) for check in values.pop("checks")), **values)


def find_review(conn: Connection, workspace: str, review: str) -> Review | None:
    """Return a review."""
    row = conn.execute(select(reviews).where(reviews.c.workspace == workspace, reviews.c.id == review)).first()
    return None if row is None else _review(row)


def newest_review(conn: Connection, version: OneVersion | Decide) -> Review | None:
    """Return the newest review of a version."""
    query = select(reviews).where(reviews.c.workspace == version.workspace, reviews.c.model == version.model)
    row = conn.execute(query.where(reviews.c.number == version.number).order_by(reviews.c.id.desc()).limit(1)).first()
    return None if row is None else _review(row)


def reviews_page(conn: Connection, command: ListReviews) -> Sequence[Review]:
    """Return one review more than the page wants, newest first."""
    query = select(reviews).where(reviews.c.workspace == command.workspace)
    if command.state:
        query = query.where(reviews.c.state == command.state)
    if command.cursor:
        query = query.where(reviews.c.id < decode_cursor(command.cursor))
    return [_review(row) for row in conn.execute(query.order_by(reviews.c.id.desc()).limit(command.limit + 1))]


def reviews_waiting(conn: Connection, workspace: str | None, limit: int = 100) -> list[Review]:
    """Return the reviews that wait for a person, newest first; a version that went waits no more."""
    there = (versions.c.workspace == reviews.c.workspace) & (versions.c.model == reviews.c.model)
    newest = select(func.max(reviews.c.id)).group_by(reviews.c.workspace, reviews.c.model, reviews.c.number)
    query = select(reviews).join(versions, there & (versions.c.number == reviews.c.number))
    query = query.where(reviews.c.id.in_(newest), reviews.c.state == "QUARANTINED", versions.c.deleted_at.is_(None))
    if workspace is not None:
        query = query.where(reviews.c.workspace == workspace)
    return [_review(row) for row in conn.execute(query.order_by(reviews.c.id.desc()).limit(limit))]


def add_review(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new review."""
    change.execute(insert(reviews).values(**values))


def put_review(change: Change, review: str, **values: Any) -> None:
    """Change a review."""
    if "checks" in values:
        values["checks"] = [asdict(check) for check in values["checks"]]
    change.execute(update(reviews).where(reviews.c.id == review).values(version=reviews.c.version + 1, **values))


def find_card(conn: Connection, version: OneVersion | EditCard) -> Row[Any] | None:
    """Return the row of a card."""
    query = select(cards).where(cards.c.workspace == version.workspace, cards.c.model == version.model)
    return conn.execute(query.where(cards.c.number == version.number)).first()


def put_card(change: Change, version: OneVersion | EditCard, sections: Any, number: int) -> None:
    """Write a card."""
    key = {"workspace": version.workspace, "model": version.model, "number": version.number}
    change.execute(delete(cards).where(*(cards.c[name] == value for name, value in key.items())))
    change.execute(insert(cards).values(**key, sections=sections, version=number))


def find_alias(conn: Connection, workspace: str, model: str, alias: str) -> Alias | None:
    """Return an alias."""
    query = select(aliases).where(aliases.c.workspace == workspace, aliases.c.model == model)
    row = conn.execute(query.where(aliases.c.alias == alias)).first()
    return None if row is None else Alias(**values_of(row))


def aliases_of(conn: Connection, workspace: str, model: str) -> list[Alias]:
    """Return the aliases of a model."""
    query = select(aliases).where(aliases.c.workspace == workspace, aliases.c.model == model)
    return [Alias(**values_of(row)) for row in conn.execute(query.order_by(aliases.c.alias))]


def put_alias(change: Change, alias: Alias) -> None:
    """Write an alias."""
    remove_alias(change, alias.workspace, alias.model, alias.alias)
    change.execute(insert(aliases).values(**asdict(alias)))


def remove_alias(change: Change, workspace: str, model: str, alias: str) -> int:
    """Delete an alias; return how many there were."""
    query = delete(aliases).where(aliases.c.workspace == workspace, aliases.c.model == model)
    return change.execute(query.where(aliases.c.alias == alias)).rowcount


def digests(conn: Connection) -> list[str]:
    """Return the digest of every package that a version needs, deleted ones included until they are collected."""
    return list(conn.execute(select(versions.c.digest).distinct().order_by(versions.c.digest)).scalars())
