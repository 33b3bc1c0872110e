"""Where the time of requests goes, model by model: the statistics extension of the Open Inference Protocol."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Batch:
    """The requests of one size: how many, and their seconds in reading, in the model and in writing."""

    __slots__ = ("count", "inputs_s", "model_s", "outputs_s")

    def __init__(self) -> None:
        self.count = 0
        self.inputs_s = self.model_s = self.outputs_s = 0.0


class Tally:
    """What one worker did for one revision.

    Attributes
    ----------
    one
        The requests of one row; added to directly by the cheap path.
    last
        When the last request was answered, in seconds since the epoch.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.add(3, (0.001, 0.002, 0.001), 0.0, 10.0)
    >>> found = tally.report("churn", "1")
    >>> found["inference_count"], found["execution_count"], found["batch_stats"][0]["batch_size"]
    (3, 1, 4)
    """

    __slots__ = ("_batches", "_failed", "_failed_s", "_queue_s", "_rows", "last", "one")

    def __init__(self) -> None:
        self._batches = [Batch() for _ in range(len(_SIZES) + 1)]
        self.one = self._batches[0]
        self.last = 0.0
        self._rows = 0
        self._queue_s = 0.0
        self._failed = 0
        self._failed_s = 0.0

    def add(self, rows: int, seconds: tuple[float, float, float], queue_s: float, now: float) -> None:
        """Add an answered request: its seconds in reading, in the model and in writing, and its wait before the model."""
        batch = self._batches[bisect_left(_SIZES, rows)]
        batch.count += 1
        batch.inputs_s += seconds[0]
        batch.model_s += seconds[1]
        batch.outputs_s += seconds[2]
        self._queue_s += queue_s
        self._rows += rows if batch is not self.one else 0
        self.last = now

    def fail(self, seconds: float) -> None:
        """Add a request that failed."""
        self._failed += 1
        self._failed_s += seconds

    def report(self, name: str, version: str) -> dict[str, Any]:
        """Return everything in the shape of the statistics extension."""
        batches = [(size, batch) for size, batch in zip((*_SIZES, 2 * _SIZES[-1]), self._batches, strict=True)]
        used = [(size, batch) for size, batch in batches if batch.count]
        count = sum(batch.count for _, batch in used)
        sums = [sum(getattr(b, part) for _, b in used) for part in ("inputs_s", "model_s", "outputs_s")]
        return {
            "name": name,
            "version": version,
            "last_inference": int(self.last * 1000),
            "inference_count": self.one.count + self._rows,
            "execution_count": count,
            "inference_stats": {
                "success": _duration(count, sum(sums) + self._queue_s),
                "fail": _duration(self._failed, self._failed_s),
                "queue": _duration(count, self._queue_s),
                "compute_input": _duration(count, sums[0]),
                "compute_infer": _duration(count, sums[1]),
                "compute_output": _duration(count, sums[2]),
                "cache_hit": _duration(0, 0.0),
                "cache_miss": _duration(0, 0.0),
            },
            "batch_stats": [_of_size(size, batch) for size, batch in used],
        }


def _of_size(size: int, batch: Batch) -> dict[str, Any]:
    """Describe the requests of up to so many rows, and of more than half of them."""
    return {
        "batch_size": size,
        "compute_input": _duration(batch.count, batch.inputs_s),
        "compute_infer": _duration(batch.count, batch.model_s),
        "compute_output": _duration(batch.count, batch.outputs_s),
    }


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": int(seconds * 1e9)}
