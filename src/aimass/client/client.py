"""The client: one attribute per room, and the few verbs that a program uses most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aimass.client.answers import Answer, Asking
from aimass.client.devices import DeviceAuth
from aimass.client.generated.cluster_types import Job
from aimass.client.generated.groups import AsyncGroups, Groups
from aimass.client.generated.lake_types import DatasetVersion
from aimass.client.generated.lifecycle_types import PipelineRun
from aimass.client.generated.serving_types import Scoring
from aimass.client.inference import Endpoint, Endpoints
from aimass.client.loading import CollectOptions, collect_file, silent
from aimass.client.pushing import Pushed, push_async, push_to
from aimass.client.registering import Registration
from aimass.client.settings import ClientSettings, read_settings
from aimass.client.transport import AsyncTransport, Transport
from aimass.client.verbs import (
    DatasetHandle,
    FeatureHandle,
    ReleaseOrder,
    ScoringOrder,
    release,
    start_scoring,
    wait_for_run,
    wait_for_scoring,
)
from aimass.client.weights import send_weights, wait_for_import


class Client(Endpoints, Groups):
    """A connection to a platform.

    Parameters
    ----------
    url
        Address; default: ``AIMASS_URL``, what ``aimass login`` saved, or ``http://127.0.0.1:8800``.
    key
        API key; default: ``AIMASS_KEY``, the saved one, or the device that ``aimass login --device`` signed in; an empty
        text sends none.
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
        where, auth = _caller(settings, url, key, self.workspace)
        self.transport = Transport(where, settings.key if key is None else key, timeout_s=timeout_s, auth=auth)
        self._endpoints: dict[str, Endpoint] = {}
        super().__init__(self.transport, self.workspace)

    @property
    def url(self) -> str:
        """Return the address of the platform."""
        return self.transport.url

    @property
    def is_device(self) -> bool:
        """Tell whether a person signed this device in, whose tokens it sends."""
        return isinstance(self.transport.http.auth, DeviceAuth)

    def register(
        self,
        upstream: str,
        address: str,
        *,
        weight: int = 1,
        lease_s: float = 30.0,
        told: Callable[[str], None] | None = None,
    ) -> Registration:
        """Register a server of a service at the gateway, and keep its lease alive from ``with`` to its end.

        Parameters
        ----------
        upstream, address
            Name of the service, and ``http://host:port`` at which this server of it answers.
        weight
            Its share, against the others.
        lease_s
            After so many seconds without a heartbeat it is gone; a third of that lies between two.
        told
            Called with a sentence when heartbeats fail, and when they arrive again.

        Examples
        --------
        ``with client.register("geo", "http://10.0.0.5:9000"): serve_forever()``
        """
        return Registration(self, upstream, address, weight=weight, lease_s=lease_s, told=told)

    def score(
        self,
        scorer: str,
        dataset: str,
        to: str,
        *,
        wait: bool = True,
        timeout_s: float = 3600.0,
        progress: Callable[[Scoring], None] | None = None,
        **more: Any,
    ) -> Scoring:
        """Score the rows of a dataset as a job; its predictions become a version of another dataset.

        Parameters
        ----------
        scorer
            Name of an endpoint; of a model when ``model_version`` or ``alias`` is among ``more``.
        dataset, to
            The dataset whose rows are scored, and the one that gets the predictions (made when it is missing).
        wait, timeout_s
            Whether to wait for its end, and how long at most.
        progress
            Called with the scoring now and then: state, rows, rows a second.
        more
            ``model_version``, ``alias``, ``dataset_version``, ``columns`` (input to column), ``keep``, ``prefix``, ``mode``,
            ``record``, ``slots``, ``key`` (the same key again is the same scoring).

        Examples
        --------
        ``client.score("churn", dataset="customers", to="churn-scores", keep=["customerID"])``
        """
        chosen = {name: more.pop(name) for name in ("model_version", "alias") if name in more}
        order = ScoringOrder(scorer=scorer, dataset=dataset, to=to, parameters=more, **chosen)
        started = start_scoring(self, order)
        return started if not wait else wait_for_scoring(self, started.id, timeout_s=timeout_s, progress=progress)

    def collect(
        self,
        path: Path | str,
        dataset: str,
        *,
        types: Mapping[str, str] | None = None,
        reading: Mapping[str, Any] | None = None,
        progress: Callable[[float, str], None] | None = None,
        **new: Any,
    ) -> DatasetVersion:
        """Bring a file into a dataset: upload, propose and pin its types, collect, wait.

        Parameters
        ----------
        path
            File in any format that can be read: CSV, JSON, Excel, Parquet, ...
        dataset
            Name of the dataset; made when it is missing.
        types
            Column to type, over what is proposed.
        reading
            How the file is written, over what would be guessed: ``{"sheet": "May", "skip_rows": 2}``.
        progress
            Called with a share of the whole and a note.
        new
            Of a source that is made by it: ``keys`` (columns that name a row) and ``mode`` (``append`` or ``replace``).
        """
        options = CollectOptions(types=types or {}, reading=reading or {}, progress=progress or silent, **new)
        return collect_file(self, Path(path), dataset, options)

    def import_weights(
        self,
        folder: Path | str,
        model: str,
        *,
        description: str = "",
        timeout_s: float = 3600.0,
        progress: Callable[[float, str], None] | None = None,
    ) -> Job:
        """Import pretrained weights, of texts or of pictures, as the next version of a model; wait for it.

        Parameters
        ----------
        folder
            Has ``config.json``, ``tokenizer.json`` and ``model.safetensors`` of the form of BERT; or, without a tokenizer,
            ``model.safetensors`` of a ResNet with ``preprocessor_config.json`` and ``config.json``. Nothing else of it is sent.
        model
            Slug of the model; made when it is missing.
        description
            What is new in this version, and where it comes from.
        progress
            Called with a share of the whole and a note.

        Examples
        --------
        ``client.import_weights("bert-base-uncased", "bert")``
        """
        started = send_weights(self, Path(folder), model, description)
        return wait_for_import(self, started["id"], timeout_s=timeout_s, progress=progress)

    def push(
        self,
        source: str,
        rows: Iterable[Mapping[str, Any] | bytes] | Path,
        *,
        key: str | None = None,
        timeout_s: float = 300.0,
    ) -> Pushed:
        """Push rows to a source; when this returns the platform has them on disk.

        Parameters
        ----------
        source
            Slug of a source of the connector ``push``.
        rows
            Objects, lines of JSON as bytes, or a file of JSON or NDJSON; sent in parts of 10,000 rows or 4 MiB.
        key
            Name of this delivery: the same rows under it again within a day are stored once.
        timeout_s
            For how long a part is sent again while the platform is away or its inbox is full.

        Examples
        --------
        ``client.push("orders", [{"id": 1, "amount": 9.5}])``
        """
        return push_to(self, source, rows, key=key, timeout_s=timeout_s)

    def release(self, order: ReleaseOrder | None = None, *, timeout_s: float = 3600.0, **names: Any) -> PipelineRun:
        """Learn from a dataset and serve the best model, as a durable pipeline; wait for its end.

        Parameters
        ----------
        order
            What and where; or its fields as keywords: ``dataset``, ``target``, ``model``, ``endpoint``, ``key_column``.
        timeout_s
            Longest time to wait.

        Examples
        --------
        ``client.release(dataset="telco-churn", target="Churn", model="churn", endpoint="churn")``
        """
        return release(self, order or ReleaseOrder(**names), timeout_s=timeout_s)

    def wait_for_run(self, run: str, *, timeout_s: float = 3600.0) -> PipelineRun:
        """Wait for the end of a pipeline run."""
        return wait_for_run(self, run, timeout_s=timeout_s)

    def dataset(self, slug: str) -> DatasetHandle:
        """Return a dataset: ``.rows()``, ``.to_polars()``, ``.download(path)``."""
        return DatasetHandle(self, self.transport, str(self.workspace), slug)

    def features(self, slug: str) -> FeatureHandle:
        """Return a feature view: ``.lookup([{"customer": 1007}])``, ``.training_set("training", spine="churn")``."""
        return FeatureHandle(self, slug)

    def query(
        self,
        sql: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        versions: Mapping[str, int | str] | None = None,
        timeout_s: float = 300.0,
    ) -> Answer:
        """Run one SELECT over datasets of the workspace; the answer arrives as a stream of Arrow batches.

        Parameters
        ----------
        sql
            One SELECT in DuckDB's dialect; datasets by their slug.
        parameters
            Values by name, for ``$name`` in the statement; they are never put into its text.
        versions
            Number, tag or moment by dataset; others are read in their newest version.
        timeout_s
            Time after which the query is stopped.

        Returns
        -------
        Its rows: ``.to_polars()``, ``.to_pandas()``, ``.to_arrow()``, ``.rows()``.

        Examples
        --------
        ``client.query("SELECT region, count(*) AS n FROM orders GROUP BY region").to_polars()``
        """
        return Answer(self._asking(sql, parameters, versions, timeout_s))

    def query_to_file(
        self,
        sql: str,
        path: Path | str,
        *,
        file_format: str = "parquet",
        parameters: Mapping[str, Any] | None = None,
        versions: Mapping[str, int | str] | None = None,
        timeout_s: float = 300.0,
    ) -> Path:
        """Write the answer of a query to a file: ``parquet``, ``csv``, ``ndjson``, ``avro``, ``xlsx`` or ``arrow`` (a stream)."""
        return self._asking(sql, parameters, versions, timeout_s).write(Path(path), file_format)

    def _asking(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None,
        versions: Mapping[str, int | str] | None,
        timeout_s: float,
    ) -> Asking:
        return Asking(
            transport=self.transport,
            workspace=str(self.workspace),
            sql=sql,
            parameters=parameters or {},
            versions=versions or {},
            timeout_s=timeout_s,
        )

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
        where, auth = _caller(settings, url, key, self.workspace)
        self.transport = AsyncTransport(where, settings.key if key is None else key, timeout_s=timeout_s, auth=auth)
        super().__init__(self.transport, self.workspace)

    async def push(
        self,
        source: str,
        rows: Iterable[Mapping[str, Any] | bytes] | Path,
        *,
        key: str | None = None,
        timeout_s: float = 300.0,
    ) -> Pushed:
        """Push rows to a source, as :meth:`Client.push` does; when this returns the platform has them on disk."""
        return await push_async(self, source, rows, key=key, timeout_s=timeout_s)

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _caller(
    settings: ClientSettings, url: str | None, key: str | None, workspace: str | None
) -> tuple[str, DeviceAuth | None]:
    """Return where to go, and the device that signs requests there; its tokens go to no other address."""
    where = url or settings.url
    is_same = where.rstrip("/") == settings.url.rstrip("/")
    is_device = key is None and settings.device is not None and is_same
    return where, DeviceAuth(where, workspace) if is_device else None
