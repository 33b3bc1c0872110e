"""What the connector for files is and takes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from annotated_types import Ge, Interval
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from aimass.collector.connectors import ConnectorManifest


class Parameters(BaseModel):
    """Where the files lie: a folder of this machine, or a bucket."""

    model_config = ConfigDict(extra="forbid")

    folder: str | None = Field(
        default=None,
        title="Folder",
        description="A folder of this machine, inside one that connectors may read",
        json_schema_extra={"reach": "path"},
    )
    url: str | None = Field(
        default=None,
        title="Bucket",
        description="A bucket and what its names begin with: s3://bucket/prefix",
        pattern=r"^s3://[a-z0-9][a-z0-9.-]+(/.*)?$",
    )
    endpoint: str | None = Field(
        default=None,
        title="Address of the store",
        description="Address of an object store that speaks S3; none for Amazon's own",
        pattern=r"^https?://",
        json_schema_extra={"reach": "url"},
    )
    region: str = Field(
        default="us-east-1", pattern=r"^[a-z0-9-]+$", title="Region", description="Region of the bucket"
    )
    access_key: str | None = Field(
        default=None, title="Access key", description="Name of the key; none reads without one"
    )
    secret_key: SecretStr | None = Field(default=None, title="Secret key", description="The key's secret")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.folder is None) == (self.url is None):
            raise ValueError("say either folder or url")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key belong together")
        return self


class Stream(BaseModel):
    """How the files of a pattern are read; what is left out is told by the first file, and kept from then on."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["csv", "ndjson", "json", "xml", "fixed", "xlsx", "parquet", "arrow", "avro", "orc"] | None = Field(
        default=None, title="Format", description="How the files are written"
    )
    delimiter: str | None = Field(default=None, title="Between cells", description="One character", max_length=1)
    quote: str | None = Field(default=None, title="Quote", description="The character around cells", max_length=1)
    encoding: str | None = Field(default=None, title="Letters", description="Character set")
    header: bool | None = Field(default=None, title="Header", description="The first line names the columns")
    null_values: list[str] | None = Field(
        default=None, title="Means missing", description="Texts that mean a missing value"
    )
    sheet: str | None = Field(default=None, title="Sheet", description="Sheet of a workbook")
    skip_rows: Annotated[int, Interval(ge=0, le=10_000)] | None = Field(
        default=None, title="Rows above", description="Rows above the header"
    )
    record_path: str | None = Field(default=None, title="Records at", description="Where the records of a document are")
    widths: list[Annotated[int, Ge(1)]] | None = Field(
        default=None, title="Widths", description="Characters of each cell"
    )
    changed: Literal["ignore", "again"] = Field(
        default="ignore",
        title="A changed file",
        description="A file that changed is left alone, or read again as a whole",
    )
    min_age_s: float = Field(
        default=5.0, ge=0, le=86_400, title="Age", description="Seconds for which a file must not have changed"
    )
    path_column: bool = Field(default=False, title="Path", description="Add a column _path with the name of the file")
    max_unpacked_bytes: int = Field(
        default=20 * 1024**3, ge=1, title="Most unpacked", description="Bytes to which a packed file may unpack"
    )


CONNECTOR = ConnectorManifest(
    name="files",
    version="1",
    title="Files",
    summary="Files of a folder or a bucket by a pattern of names, each read once",
    family="files",
    parameters=Parameters,
    stream=Stream,
    modes=frozenset({"full", "stream"}),
)
