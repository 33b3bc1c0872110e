"""A bar for what takes longer than a second; nothing where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from aimass.cli.show import console


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[Callable[[float, str], None]]:
    """Show a bar until the end of the block; give the function that moves it: a share of the whole and a note."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share, note: bar.update(task, completed=share, description=f"{title}: {note}" if note else title)
