"""What the connector for any SQL database is and takes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aimass.collector.connectors import ConnectorManifest


class Parameters(BaseModel):
    """A database that SQLAlchemy has a dialect for, and an account that may read it."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        pattern=r"^[A-Za-z0-9_]+(\+[A-Za-z0-9_]+)?://[^\s]*$",
        max_length=2_000,
        title="Address",
        description="Dialect, user, host and database, such as mysql+pymysql://reader@db.example.org:3306/shop. The password does not belong here.",
    )
    password: SecretStr | None = Field(default=None, title="Password", description="Password of the user")
    schemas: list[str] = Field(
        default_factory=list[str],
        title="Schemas",
        description="Schemas whose tables are offered besides those of the default one",
    )
    timeout_s: int = Field(default=10, ge=1, le=600, title="Patience", description="Seconds to wait for a connection")


class Stream(BaseModel):
    """How the rows of a table are read."""

    model_config = ConfigDict(extra="forbid")

    zero_dates: Literal["reject", "null"] = Field(
        default="reject",
        title="Dates of zeros",
        description="Dates such as 0000-00-00, which MySQL keeps and no calendar has: to the quarantine, or no value",
    )


CONNECTOR = ConnectorManifest(
    name="sqlalchemy",
    version="1",
    title="SQL database",
    summary="Tables and views of MySQL, MariaDB and any database that SQLAlchemy has a dialect for",
    family="database",
    parameters=Parameters,
    stream=Stream,
    modes=frozenset({"full", "incremental"}),
    extra="connectors",
)
