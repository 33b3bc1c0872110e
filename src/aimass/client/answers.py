"""The answer of a query, as a program wants it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import finalize

from aimass.client.request import API
from aimass.client.transport import Transport
from aimass.kernel.errors import Invalid, MissingExtra

MEDIA = {
    "arrow": "application/vnd.apache.arrow.stream",
    "avro": "application/vnd.apache.avro",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_CHUNK = 1 << 20
_SPARE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A query on its way to the platform."""

    transport: Transport
    workspace: str
    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    versions: Mapping[str, int | str] = field(default_factory=dict[str, int | str])
    timeout_s: float = 300.0

    def write(self, path: Path, file_format: str = "arrow") -> Path:
        """Write the whole answer to a file, as it arrives."""
        if file_format not in MEDIA:
            raise Invalid("there is no such format", field="file_format", value=file_format, allowed=sorted(MEDIA))
        body = {"sql": self.sql, "parameters": dict(self.parameters), "versions": dict(self.versions)}
        where = f"{API}/workspaces/{quote(self.workspace, safe='')}/query"
        with self.transport.http.stream(
            "POST",
            where,
            json={**body, "timeout_s": self.timeout_s},
            headers={"Accept": MEDIA[file_format]},
            timeout=self.timeout_s + _SPARE_S,
        ) as response:
            self.transport.check(response)
            with path.open("wb") as file:
                for chunk in response.iter_bytes(_CHUNK):
                    file.write(chunk)
        return path


class Answer:
    """The rows of a query: they lie in a file of this machine as an Arrow stream, which goes with this object.

    Examples
    --------
    ``client.query("SELECT * FROM orders WHERE amount > $least", parameters={"least": 100}).to_polars()``
    """

    def __init__(self, asking: Asking) -> None:
        handle, name = tempfile.mkstemp(prefix="aimass-answer-", suffix=".arrows")
        os.close(handle)
        self.path = Path(name)
        self._end = finalize(self, self.path.unlink, missing_ok=True)
        asking.write(self.path)

    def to_polars(self) -> Any:
        """Return the rows as a Polars frame."""
        return import_module("polars").read_ipc_stream(self.path)

    def to_arrow(self) -> Any:
        """Return the rows as an Arrow table; any library that knows the Arrow PyCapsule interface takes it."""
        return import_module("arro3.core").Table.from_arrow(self.to_polars())

    def to_pandas(self) -> Any:
        """Return the rows as a pandas frame.

        Raises
        ------
        MissingExtra
            pandas is not installed.
        """
        try:
            import_module("pandas")
            import_module("pyarrow")
        except ImportError as reason:
            raise MissingExtra("pandas") from reason
        return self.to_polars().to_pandas()

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries, with dates, moments and decimals as what they are."""
        return list(self.to_polars().iter_rows(named=True))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self.to_polars().iter_rows(named=True)

    def __len__(self) -> int:
        return len(self.to_polars())
