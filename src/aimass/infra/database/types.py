"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Engine, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from aimass.kernel.places import folded, unfolded

_DATA = "aimass_data"


class Instant(TypeDecorator[datetime]):
    """A moment in UTC with microseconds."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC, without a zone."""
        del dialect
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read as UTC."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


Json = JSON().with_variant(JSONB(), "postgresql")


class PlacedText(TypeDecorator[str]):
    """A path that may lie below the data directory; it is kept without where that lies, see :mod:`aimass.kernel.places`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Store without where the data directory lies."""
        return folded(value, data_of(dialect))

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Read for where the data directory lies now."""
        return unfolded(value, data_of(dialect))


class PlacedJson(TypeDecorator[Any]):
    """JSON with paths that may lie below the data directory, kept like :class:`PlacedText`."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Be what other JSON is on this engine."""
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """Compare as JSON compares."""
        return self.impl_instance.coerce_compared_value(op, value)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Store without where the data directory lies."""
        return folded(value, data_of(dialect))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Read for where the data directory lies now."""
        return unfolded(value, data_of(dialect))


def data_of(dialect: Dialect) -> str:
    """Return the data directory whose paths a database keeps; empty where rows are carried as they are."""
    return str(getattr(dialect, _DATA, ""))


def place_data(engine: Engine, root: str) -> None:
    """Let a database know where its data directory lies."""
    setattr(engine.dialect, _DATA, root)
