"""The client: one attribute per room, and the few verbs that a program uses most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aimass.client.generated.groups import AsyncGroups, Groups
from aimass.client.generated.lake_types import DatasetVersion
from aimass.client.inference import Endpoint, Prediction, Row
from aimass.client.loading import CollectOptions, collect_file
from aimass.client.settings import read_settings
from aimass.client.transport import AsyncTransport, Transport


class Client(Groups):
    """A connection to a platform.

    Parameters
    ----------
    url
        Address; default: ``AIMASS_URL``, what ``aimass login`` saved, or ``http://127.0.0.1:8800``.
    key
        API key; default: ``AIMASS_KEY`` or the saved one.
    workspace
        Used by every operation that names none.

    Examples
    --------
    >>> client = Client("http://127.0.0.1:8800", key="aim_...", workspace="demo")
    >>> client.url
    'http://127.0.0.1:8800'
    >>> client.close()
    """

    def __init__(
        self, url: str | None = None, *, key: str | None = None, workspace: str | None = None, timeout_s: float = 60.0
    ) -> None:
        settings = read_settings()
        self.workspace = workspace or settings.workspace
        self.transport = Transport(url or settings.url, key or settings.key, timeout_s=timeout_s)
        self._endpoints: dict[str, Endpoint] = {}
        super().__init__(self.transport, self.workspace)

    @property
    def url(self) -> str:
        """Return the address of the platform."""
        return self.transport.url

    def predict(self, endpoint: str, rows: Sequence[Row], *, request_id: str | None = None) -> list[Prediction]:
        """Score rows through an endpoint, over the Open Inference Protocol.

        Parameters
        ----------
        endpoint
            Name of the endpoint.
        rows
            Objects with one value per input; a missing one is null.
        request_id
            Your own id of the request; feedback refers to it.
        """
        known = self._endpoints.setdefault(endpoint, Endpoint(self.transport, endpoint))
        return known.predict(rows, request_id)

    def collect(self, path: Path | str, dataset: str, options: CollectOptions | None = None) -> DatasetVersion:
        """Bring a file into a dataset: upload, propose and pin its types, collect, wait.

        Parameters
        ----------
        path
            CSV, Parquet or NDJSON file.
        dataset
            Name of the dataset; made when it is missing.
        options
            Types that are known, key columns, and who hears of the progress.
        """
        return collect_file(self, Path(path), dataset, options or CollectOptions())

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(AsyncGroups):
    """The same for asyncio: every method is a coroutine."""

    def __init__(
        self, url: str | None = None, *, key: str | None = None, workspace: str | None = None, timeout_s: float = 60.0
    ) -> None:
        settings = read_settings()
        self.workspace = workspace or settings.workspace
        self.transport = AsyncTransport(url or settings.url, key or settings.key, timeout_s=timeout_s)
        super().__init__(self.transport, self.workspace)

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
