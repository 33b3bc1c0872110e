"""Answers that come in chunks: handed on one by one to a caller who takes them so, or put together for the others."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from aimass.gateway.plane.calls import ChunkCaller, Source, Work
from aimass.gateway.plane.errors import ClientGone, WorkerFailed
from aimass.gateway.plane.metrics import BOUNDS, Metrics
from aimass.kernel.errors import AimassError

MAX_KEPT = 10_000
MAX_KEPT_BYTES = 16 * 1024 * 1024
_TOO_LONG = f"the answer of the model put together is larger than {MAX_KEPT_BYTES} bytes"
End = Callable[[Work, dict[str, Any] | None, AimassError | None], None]


class Teller:
    """Reads the stream of a model on behalf of a caller; a request has one end, whatever happens.

    Parameters
    ----------
    whole
        Is told the answer of a caller who wants it whole, and an error that comes before the first chunk.
    told
        Is told, after the first chunk was sent, how it ended and what was said.
    over
        Is called when it has ended, before anybody is told.
    """

    def __init__(self, work: Work, whole: End, told: End, over: Callable[[], None], metrics: Metrics) -> None:
        self._work = work
        self._whole = whole
        self._told = told
        self._over = over
        self._metrics = metrics
        self._chunk_caller: ChunkCaller | None = work.caller.chunks
        self._source: Source | None = None
        self._chunks: list[dict[str, Any]] = []
        self._parts = 0
        self._size = 0
        self._is_over = False

    def begin(self, source: Source) -> None:
        """Begin with what the source says."""
        self._source = source
        if self._chunk_caller is not None and not self._is_over:
            self._chunk_caller.begin(self._work, source, self._gone)

    def part(self, outputs: dict[str, Any]) -> None:
        """Take a chunk."""
        if not self._parts:
            self._count_first()
        self._parts += 1
        is_kept = self._keep(outputs)
        if self._chunk_caller is not None:
            self._hand_on(self._chunk_caller, outputs)
        elif not is_kept:
            self._fail(WorkerFailed(_TOO_LONG, hint="ask for it in chunks: POST .../generate_stream"))
        elif self._source is not None:
            self._source.more(1)

    def _keep(self, outputs: dict[str, Any]) -> bool:
        """Keep a chunk for the whole answer, or for the record; tell whether there was room."""
        self._size += _size_of(outputs)
        has_room = self._parts <= MAX_KEPT and self._size <= MAX_KEPT_BYTES
        if has_room:
            self._chunks.append(outputs)
        return has_room

    def _hand_on(self, caller: ChunkCaller, outputs: dict[str, Any]) -> None:
        try:
            caller.part(self._work, outputs)
        except Exception as reason:  # noqa: BLE001 what cannot be written ends this stream alone
            self._fail(WorkerFailed(f"a chunk of the model cannot be written: {str(reason)[:200]}"))

    def _fail(self, error: AimassError) -> None:
        self._cancel()
        self.end(error)

    def _count_first(self) -> None:
        endpoint, revision = self._work.call.endpoint, self._work.deployment.revision
        labels = (("endpoint", endpoint.name), ("revision", revision), ("workspace", endpoint.workspace))
        seconds = perf_counter() - self._work.started
        self._metrics.histogram("gateway_first_chunk_seconds", labels, BOUNDS).observe(seconds)

    def end(self, error: AimassError | None) -> None:
        """Hear that there is no more."""
        if self._is_over:
            return
        self._is_over = True
        self._over()
        if self._chunk_caller is not None and (self._parts or error is None):
            self._told(self._work, self._joined(), error)
            return
        outputs = self._joined() if error is None else None
        if outputs is None and error is None:
            error = WorkerFailed("the chunks of the model do not fit together: their shapes differ")
        self._whole(self._work, outputs, error)

    def _gone(self) -> None:
        """Stop when the client is gone."""
        self._cancel()
        if not self._is_over:
            self._is_over = True
            self._over()
            self._told(self._work, self._joined(), ClientGone())

    def _cancel(self) -> None:
        if self._source is not None:
            self._source.cancel()

    def _joined(self) -> dict[str, Any] | None:
        """Put together what was kept; None when the chunks do not fit."""
        names = [spec["name"] for spec in self._work.deployment.loaded.package.signature["outputs"]]
        try:
            return {name: joined([chunk[name] for chunk in self._chunks]) for name in names}
        except (TypeError, ValueError):
            return None


def _size_of(outputs: dict[str, Any]) -> int:
    return sum(
        array.nbytes + (sum(map(len, filter(None, array.ravel().tolist()))) if array.dtype == object else 0)
        for array in outputs.values()
    )


def joined(parts: list[Any]) -> Any:
    """Put the chunks of one output together: texts of the same shape are joined place by place, all else row by row.

    Examples
    --------
    >>> joined([np.array(["Good", "Hel"], dtype=object), np.array([" day", "lo"], dtype=object)]).tolist()
    ['Good day', 'Hello']
    >>> joined([np.array([1, 2]), np.array([3])]).tolist()
    [1, 2, 3]
    """
    if not parts:
        return np.empty(0, dtype=object)
    if parts[0].dtype == object and len({part.shape for part in parts}) == 1:
        flat = ["".join(texts) for texts in zip(*(part.ravel().tolist() for part in parts), strict=True)]
        whole = np.empty(len(flat), dtype=object)
        whole[:] = flat
        return whole.reshape(parts[0].shape)
    return np.concatenate([np.atleast_1d(part) for part in parts])
