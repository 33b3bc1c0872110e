"""Tell the story: start a platform, run the steps one after the other, show the summary."""

from __future__ import annotations

import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from aimass.bootstrap.commands import start
from aimass.bootstrap.demo import chapters, watching
from aimass.bootstrap.demo.screen import Line, Screen
from aimass.bootstrap.demo.story import Story
from aimass.bootstrap.demo.summary import show_summary
from aimass.bootstrap.settings import read_settings
from aimass.bootstrap.supervisor import Supervisor
from aimass.kernel.errors import AimassError

_QUICK_S = 1.0
Chapter = Callable[[Story, Line], str]
CHAPTERS: tuple[tuple[str, Chapter], ...] = (
    ("Start the platform, make a workspace", chapters.begin),
    ("Collect the churn file", chapters.collect),
    ("Split it and train four recipes", chapters.train),
    ("Choose by validation, evaluate on test", chapters.choose),
    ("Package and replay the samples", chapters.package),
    ("Register, review, approve", chapters.review),
    ("Deploy and call it", chapters.serve),
    ("Traffic, feedback, drift, alert", watching.watch),
    ("Retrain, canary, decision", watching.retrain),
)


def tell(data_dir: Path | None, port: int | None, *, leave: bool, browser: bool) -> int:
    """Tell the whole story and return the exit code: 0 only if every step succeeded.

    Parameters
    ----------
    leave
        Stop the platform at the end; else it stays open until Ctrl-C.
    browser
        Open the console at the end, where there is a screen.
    """
    console = Console(highlight=False)
    settings = replace(read_settings(data_dir, None, port), segment_age_s=_QUICK_S, flush_s=_QUICK_S)
    story = Story(settings=settings)
    screen = Screen(console, [Line(number=n, title=title) for n, (title, _) in enumerate(CHAPTERS, 1)])
    console.print(f"AI Mass demo on {settings.data_dir}, port {settings.port}", markup=False)
    code = 0
    try:
        with screen.open():
            _run(story, screen)
    except AimassError as error:
        console.print(f"the demo stopped: {error.message}", style="red", markup=False)
        if error.hint:
            console.print(f"  {error.hint}", markup=False)
        code = 1
    except BaseException:
        if story.supervisor is not None:
            story.supervisor.stop()
        raise
    if code == 0:
        show_summary(console, story, screen)
    if story.supervisor is None:
        return code
    if leave or code:
        story.supervisor.stop()
        return code
    if browser and console.is_terminal:
        webbrowser.open(story.url)
    console.print("the platform stays open; stop it with Ctrl-C")
    story.supervisor.run()
    return code


def _run(story: Story, screen: Screen) -> None:
    for line, (_, chapter) in zip(screen.lines, CHAPTERS, strict=True):
        with screen.step(line), _kept_alive(story):
            if story.supervisor is None:
                story.supervisor, story.administrator = start(story.settings)
            line.note = chapter(story, line)
    story.finish()


@contextmanager
def _kept_alive(story: Story) -> Iterator[None]:
    """Let the supervisor do its work while a chapter is told."""
    over = threading.Event()

    def watch(supervisor: Supervisor) -> None:
        while not over.is_set():
            supervisor.watch()
            time.sleep(0.2)

    thread = None
    if story.supervisor is not None:
        thread = threading.Thread(target=watch, args=(story.supervisor,), daemon=True)
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread is not None:
            thread.join()
