"""What the connector for logs is and takes."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aimass.collector.connectors import ConnectorManifest


class Parameters(BaseModel):
    """The folder in which the logs are written."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(
        min_length=1,
        title="Folder",
        description="A folder of this machine, inside one that connectors may read",
        json_schema_extra={"reach": "path"},
    )


class Stream(BaseModel):
    """How the lines of the logs are read."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["combined", "syslog", "json", "pattern", "text"] | None = Field(
        default=None,
        title="Format",
        description="combined (nginx, Apache), syslog (RFC 3164 and 5424), json (an object a line), pattern, text; told by the first lines when absent",
    )
    pattern: str | None = Field(
        default=None,
        max_length=4_000,
        title="Pattern",
        description="Regular expression with a named group for each column: (?P<level>\\w+) (?P<message>.*)",
    )
    begins: str | None = Field(
        default=None,
        max_length=1_000,
        title="A record begins",
        description="Regular expression that the first line of a record matches; other lines belong to the one before",
    )
    encoding: str = Field(default="utf-8", title="Letters", description="Character set")
    start: Literal["beginning", "end"] = Field(
        default="beginning", title="First reading", description="Begin with what is there, or with what comes"
    )
    patience_s: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        title="Patience",
        description="Seconds after which a record without a next one is whole",
    )
    file_column: bool = Field(default=False, title="File", description="Add a column _file with the name of the log")

    @model_validator(mode="after")
    def _has_pattern(self) -> Self:
        if (self.format == "pattern") != (self.pattern is not None):
            raise ValueError("format pattern and a pattern belong together")
        return self


CONNECTOR = ConnectorManifest(
    name="logs",
    version="1",
    title="Logs",
    summary="Log files of web servers, syslog, JSON lines or an own pattern, followed across rotation",
    family="logs",
    parameters=Parameters,
    stream=Stream,
    modes=frozenset({"stream"}),
)
