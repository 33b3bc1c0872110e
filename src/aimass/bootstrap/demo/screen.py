"""The demo on screen: a table of the story's steps that fills itself; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_MARK = {"done": "[green]✓[/green]", "failed": "[red]✗[/red]", "waiting": "[dim]·[/dim]"}


@dataclass(slots=True)
class Line:
    """One step of the story on screen."""

    number: int
    title: str
    state: str = "waiting"
    fraction: float = 0.0
    note: str = ""
    began: float = 0.0
    took_s: float = 0.0


@dataclass(slots=True)
class Screen:
    """Shows the steps while they run."""

    console: Console
    lines: list[Line] = field(default_factory=list[Line])
    _live: Live | None = None

    @contextmanager
    def open(self) -> Iterator[Screen]:
        """Draw until the end of the block."""
        if not self.console.is_terminal:
            yield self
            return
        with Live(self, console=self.console, refresh_per_second=8, transient=False) as live:
            self._live = live
            try:
                yield self
            finally:
                self._live = None

    @contextmanager
    def step(self, line: Line) -> Iterator[Line]:
        """Run one step: note its time, and whether it failed."""
        line.state, line.began = "running", time.monotonic()
        try:
            yield line
        except BaseException:
            line.state = "failed"
            raise
        else:
            line.state, line.fraction = "done", 1.0
        finally:
            line.took_s = time.monotonic() - line.began
            if self._live is None:
                self.console.print(
                    f"{line.number:>2} {line.state:<7} {line.took_s:6.1f} s  {line.title}: {line.note}",
                    markup=False,
                    soft_wrap=True,
                )

    def __rich__(self) -> Group:
        """Draw the table."""
        table = Table(box=None, show_header=False, pad_edge=False, expand=False)
        for line in self.lines:
            mark = Spinner("dots") if line.state == "running" else Text.from_markup(_MARK[line.state])
            now = time.monotonic() - line.began if line.state == "running" else line.took_s
            bar = ProgressBar(total=1.0, completed=line.fraction, width=16) if line.state == "running" else Text("")
            clock = f"{now:5.1f} s" if line.state != "waiting" else ""
            table.add_row(
                mark, f"{line.number}", line.title, bar, Text(clock, style="dim"), Text(line.note, style="dim")
            )
        return Group(table)
