"""Predictions on their way into a dataset: files of so many rows, written beside the scoring, kept over a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import polars as pl

from aimass.lake import Part

PART_ROWS = 200_000


class Parts:
    """Puts frames together into files; a finished file is committed as a checkpoint of the job.

    One file is written while the next one is put together, so memory holds two of them at most.

    Parameters
    ----------
    ctx
        The context of the job.
    written
        Called with the rows of each file that is finished.
    """

    def __init__(self, ctx: Any, written: Callable[[int], None]) -> None:
        self._ctx = ctx
        self._written = written
        self._pool = ThreadPoolExecutor(1)
        self._pending: list[pl.DataFrame] = []
        self._rows = 0
        self._writing: Future[Part] | None = None
        saved = json.loads(ctx.restore() or b"{}")
        self.parts = [Part(file=ctx.work / name, rows=rows) for name, rows in saved.get("parts", ())]
        self.unseen: dict[str, int] = dict(saved.get("unseen", {}))

    @property
    def done(self) -> int:
        """Return the rows in finished files."""
        return sum(part.rows for part in self.parts)

    def add(self, frame: pl.DataFrame, unseen: dict[str, int]) -> None:
        """Take the next rows, and how many of them hold a value that was never seen, by input."""
        self._pending.append(frame)
        self._rows += frame.height
        for name, count in unseen.items():
            self.unseen[name] = self.unseen.get(name, 0) + count
        if self._rows >= PART_ROWS:
            self._close()

    def finish(self) -> list[Part]:
        """Write what is left and return all files."""
        self._close()
        self._settle()
        return self.parts

    def _close(self) -> None:
        self._settle()
        if self._pending:
            frames, self._pending, self._rows = self._pending, [], 0
            self._writing = self._pool.submit(self._write, frames, len(self.parts), dict(self.unseen))

    def _settle(self) -> None:
        """Wait for the file that is being written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            self.parts.append(writing.result())
            self._written(self.parts[-1].rows)

    def _write(self, frames: list[pl.DataFrame], number: int, unseen: dict[str, int]) -> Part:
        file = self._ctx.work / f"part-{number:06d}.parquet"
        draft = file.with_suffix(".draft")
        whole = pl.concat(frames)
        whole.write_parquet(draft)
        draft.rename(file)
        made = Part(file=file, rows=whole.height)
        known = [[one.file.name, one.rows] for one in (*self.parts, made)]
        self._ctx.save(json.dumps({"parts": known, "unseen": unseen}).encode())
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
