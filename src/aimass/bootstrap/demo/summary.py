"""The end of the demo: what was done, where to look, what to try next."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from aimass.bootstrap.demo.screen import Screen
from aimass.bootstrap.demo.story import Story


def show_summary(console: Console, story: Story, screen: Screen) -> None:
    """Print the steps with their times, the addresses, and three commands."""
    table = Table(title="The main job", box=None, header_style="bold", pad_edge=False)
    for name in ("", "step", "seconds", "result"):
        table.add_column(name, justify="right" if name == "seconds" else "left")
    for line in screen.lines:
        table.add_row(str(line.number), line.title, f"{line.took_s:.1f}", line.note)
    total = sum(line.took_s for line in screen.lines)
    table.add_row("", "in all", f"{total:.1f}", "")
    console.print(table)
    console.print()
    for title, path in story.places():
        console.print(f"  {title:<12} {story.url}{path}", markup=False, soft_wrap=True)
    if story.administrator:
        word = f"sign in as {story.administrator['name']!r} with the password {story.administrator['password']} (shown only now)"
        console.print(f"\n{word}", markup=False, soft_wrap=True)
    console.print("\nTry next:", markup=False)
    for command in story.commands():
        console.print(f"  {command}", markup=False, soft_wrap=True)
