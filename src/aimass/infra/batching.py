"""Batches without timers: while one is in flight requests wait, and when it ends the next takes all that waits.

Used by isolated workers and by the data plane alike. A batch counts rows, not requests, and every request gets back
exactly the rows that it sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from aimass.infra.plans import Plan

_LOG = logging.getLogger(__name__)
Columns = dict[str, Any]
Run = Callable[[Columns], Columns]
Answer = tuple[Columns | None, Exception | None]


@dataclass(slots=True, eq=False)
class Task:
    """One request: its rows and columns, and who hears of the answer.

    Attributes
    ----------
    is_alone
        Whether it must not share a batch.
    deadline
        The loop's time after which nobody wants the answer.
    """

    rows: int
    columns: Columns
    done: Callable[[Columns | None, Exception | None], None]
    id: int = 0
    is_alone: bool = False
    deadline: float = float("inf")
    shape: tuple[Any, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        """Note what another request must look like to share a batch with this one."""
        self.shape = tuple((name, _kind(values)) for name, values in self.columns.items())


class Journal(Protocol):
    """Notes which requests are being run, for those who come after a crash."""

    def begin(self, lane: int, ids: Sequence[int]) -> None:
        """Note that these run now."""
        ...

    def end(self, lane: int) -> None:
        """Note that nothing runs in this lane."""
        ...


class Silent:
    """A journal that is not kept."""

    def begin(self, lane: int, ids: Sequence[int]) -> None:
        """Keep nothing."""

    def end(self, lane: int) -> None:
        """Keep nothing."""


class Batcher:
    """Runs tasks by a plan; belongs to one event loop.

    Parameters
    ----------
    run
        Answers columns with columns, row by row; called from threads when the plan has lanes.
    journal
        Where the ids of the tasks that run are noted.
    """

    def __init__(self, run: Run, plan: Plan, journal: Journal | None = None, executor: Executor | None = None) -> None:
        self._run = run
        self._journal = journal or Silent()
        self.plan = plan
        self.max_rows = plan.max_rows
        self._waiting: deque[Task] = deque()
        self._free = list(range(max(1, plan.lanes)))
        self._executor = executor
        if plan.lanes and executor is None:
            self._executor = ThreadPoolExecutor(plan.lanes, thread_name_prefix="model")
        self._is_due = False
        self._is_closed = False
        self.waiting_rows = 0
        self.batches = 0

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing waits and nothing runs."""
        return not self._waiting and len(self._free) == max(1, self.plan.lanes)

    def put(self, task: Task) -> None:
        """Take a task; it is run at the end of this turn of the loop at the earliest."""
        self._waiting.append(task)
        self.waiting_rows += task.rows
        self._soon()

    def _soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_due = False
        if self._executor is None:
            self._turn_here()
            return
        loop = asyncio.get_running_loop()
        while self._free and (batch := self._next(loop.time())):
            lane = self._free.pop()
            future = loop.run_in_executor(self._executor, self._answers, batch, lane)
            future.add_done_callback(lambda ended, batch=batch, lane=lane: self._ended(batch, lane, ended.result()))

    def _turn_here(self) -> None:
        """Run one batch in the loop; others come in before the next."""
        batch = self._next(asyncio.get_running_loop().time())
        if batch:
            _tell(batch, self._answers(batch, 0))
        if self._waiting:
            self._soon()

    def _ended(self, batch: list[Task], lane: int, answers: list[Answer]) -> None:
        self._free.append(lane)
        _tell(batch, answers)
        if self._waiting:
            self._turn()
        elif self._is_closed:
            self._rest()

    def _next(self, now: float) -> list[Task]:
        """Take what waits into a batch, in the order in which it came, as far as it fits."""
        batch: list[Task] = []
        rows = 0
        while self._waiting:
            task = self._waiting[0]
            fits = (
                rows + task.rows <= self.max_rows and not task.is_alone and task.shape == batch[0].shape
                if batch
                else True
            )
            if not fits:
                break
            self._waiting.popleft()
            self.waiting_rows -= task.rows
            if task.deadline < now:
                continue
            batch.append(task)
            rows += task.rows
            if task.is_alone:
                break
        return batch

    def _answers(self, batch: list[Task], lane: int) -> list[Answer]:
        """Run a batch, in whatever thread; a batch that fails is run again one by one, so that each gets its own error."""
        self.batches += 1
        journal = self._journal
        try:
            if len(batch) > 1:
                journal.begin(lane, [task.id for task in batch])
                together = self._together(batch)
                if together is not None:
                    return together
            answers: list[Answer] = []
            for task in batch:
                journal.begin(lane, (task.id,))
                answers.append(self._one(task))
            return answers
        finally:
            journal.end(lane)

    def _together(self, batch: list[Task]) -> list[Answer] | None:
        try:
            outputs = self._run(join([task.columns for task in batch]))
            found = {_rows(values) for values in outputs.values()}
        except (Exception, SystemExit) as reason:  # noqa: BLE001 a model raises what it likes
            _LOG.info("a batch of %d requests failed and is run one by one: %r", len(batch), reason)
            return None
        rows = [task.rows for task in batch]
        if found - {sum(rows)}:
            _LOG.warning("the model does not answer row by row: its requests are not put together any more")
            self.max_rows = 1
            return None
        return [(part, None) for part in split(outputs, rows)]

    def _one(self, task: Task) -> Answer:
        try:
            return self._run(task.columns), None
        except SystemExit as reason:
            return None, RuntimeError(f"it called sys.exit({reason.code!r})")
        except Exception as reason:  # noqa: BLE001 whatever a model raises belongs to this one request
            _LOG.exception("a request failed")
            return None, reason

    def close(self) -> None:
        """Let the threads go when they have answered what waits."""
        self._is_closed = True
        self._rest()

    def _rest(self) -> None:
        if self._is_closed and self.is_idle and isinstance(self._executor, ThreadPoolExecutor):
            self._executor.shutdown(wait=False)


def _tell(batch: list[Task], answers: list[Answer]) -> None:
    for task, (outputs, error) in zip(batch, answers, strict=True):
        task.done(outputs, error)


def _rows(values: Any) -> int:
    """Return for how many rows there is a value; -1 for one value that stands alone."""
    return -1 if not getattr(values, "ndim", 1) else len(values)


def _kind(values: Any) -> Any:
    return values.shape[1:] if isinstance(values, np.ndarray) else list


def join(parts: Sequence[Columns]) -> Columns:
    """Put the columns of several requests under each other.

    Examples
    --------
    >>> join([{"a": ["x"]}, {"a": ["y", "z"]}])
    {'a': ['x', 'y', 'z']}
    """
    joined: Columns = {}
    for name, first in parts[0].items():
        columns = [part[name] for part in parts]
        if isinstance(first, np.ndarray):
            joined[name] = np.concatenate(columns)
        else:
            joined[name] = [value for values in columns for value in values]
    return joined


def split(columns: Columns, rows: Sequence[int]) -> list[Columns]:
    """Cut columns into parts of so many rows each.

    Examples
    --------
    >>> split({"a": [1, 2, 3]}, [1, 2])
    [{'a': [1]}, {'a': [2, 3]}]
    """
    parts: list[Columns] = []
    start = 0
    for count in rows:
        stop = start + count
        parts.append({name: values[start:stop] for name, values in columns.items()})
        start = stop
    return parts
