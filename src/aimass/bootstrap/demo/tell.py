"""Tell the story: start a platform, run the steps one after the other, show the summary."""

from __future__ import annotations

import signal
import threading
import time
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from aimass.bootstrap.commands import start
from aimass.bootstrap.demo.chapters import begin, choose, collect, package, review, serve, train
from aimass.bootstrap.demo.screen import Line, Screen
from aimass.bootstrap.demo.story import Story
from aimass.bootstrap.demo.summary import show_summary
from aimass.bootstrap.demo.watching import retrain, watch
from aimass.bootstrap.first_password import forget_password
from aimass.bootstrap.settings import read_settings
from aimass.bootstrap.supervisor import Supervisor
from aimass.kernel.errors import AimassError, Unavailable
from aimass.kernel.layout import DataDir

_QUICK_S = 1.0
_LOOK_S = 0.2
_AGAIN, _PAUSE_S = 5, 1.0
Chapter = Callable[[Story, Line], str]
CHAPTERS: tuple[tuple[str, Chapter], ...] = (
    ("Start the platform, make a workspace", begin),
    ("Collect the churn file", collect),
    ("Split it and train four recipes", train),
    ("Choose by validation, evaluate on test", choose),
    ("Package and replay the samples", package),
    ("Register, review, approve", review),
    ("Deploy and call it", serve),
    ("Traffic, feedback, drift, alert", watch),
    ("Retrain, canary, decision", retrain),
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
    signal.signal(signal.SIGTERM, _leave)
    code = _code(console, story, screen)
    if code == 0:
        show_summary(console, story, screen)
        forget_password(DataDir(settings.data_dir))
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


def _code(console: Console, story: Story, screen: Screen) -> int:
    """Tell it; an error of the platform is said in words, anything else stops the platform first."""
    try:
        with screen.open():
            _run(story, screen)
    except AimassError as error:
        console.print(f"the demo stopped: {error.message}", style="red", markup=False)
        if error.hint:
            console.print(f"  {error.hint}", markup=False)
        return 1
    except BaseException:
        if story.supervisor is not None:
            story.supervisor.stop()
        raise
    return 0


def _run(story: Story, screen: Screen) -> None:
    for line, (_, chapter) in zip(screen.lines, CHAPTERS, strict=True):
        with screen.step(line):
            if story.supervisor is None:
                story.supervisor, story.administrator = start(story.settings)
                threading.Thread(target=_keep_alive, args=(story.supervisor,), daemon=True).start()
            line.note = _told(chapter, story, line)
    story.finish()


def _told(chapter: Chapter, story: Story, line: Line) -> str:
    """Tell a chapter; when a process of the platform dies under it, tell it again: it goes on where it was."""
    for _ in range(_AGAIN):
        try:
            return chapter(story, line)
        except Unavailable:
            time.sleep(_PAUSE_S)
    return chapter(story, line)


def _keep_alive(supervisor: Supervisor) -> None:
    """Start again what dies, until the end of this process: what a thread starts dies with that thread."""
    while True:
        supervisor.watch()
        time.sleep(_LOOK_S)


def _leave(*_: object) -> None:
    """End on SIGTERM as on Ctrl-C, so that the platform is stopped in order."""
    raise SystemExit(128 + signal.SIGTERM)
