"""One check after the other; a check that fails is a finding as well."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict

import orjson
from rich.text import Text

from aimass.bootstrap.doctor import installation, place, rooms
from aimass.bootstrap.settings import PlatformSettings
from aimass.cli.show import console
from aimass.kernel.errors import AimassError
from aimass.kernel.findings import Finding

_CHECKS: tuple[tuple[str, Callable[[PlatformSettings], Finding]], ...] = (
    ("python", installation.python),
    ("packages", installation.packages),
    ("console", installation.console_assets),
    ("rooms", installation.rooms),
    ("disk", place.disk),
    ("data directory", place.rights),
    ("keys", place.keys),
    ("platform", place.running),
    ("database", place.database),
    ("blobs", place.blobs),
    ("tables", place.lake),
)


def report(settings: PlatformSettings, *, as_json: bool) -> int:
    """Print what was found; return 0 only when nothing is wrong."""
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        print(orjson.dumps([asdict(f) for f in findings], option=orjson.OPT_INDENT_2).decode())  # noqa: T201 output
    return 0 if all(f.is_good for f in findings) else 1


def _show(finding: Finding) -> None:
    mark = Text("ok  ", style="green") if finding.is_good else Text("bad ", style="red")
    console.print(mark + Text(f"{finding.name}: {finding.detail}"), soft_wrap=True)
    if finding.hint and not finding.is_good:
        console.print(Text(f"    {finding.hint}", style="dim"), soft_wrap=True)


def examine(settings: PlatformSettings) -> Iterator[Finding]:
    """Yield a finding for each part, and what the rooms themselves find when the ground is good."""
    is_sound = True
    for name, check in _CHECKS:
        for finding in _tried(name, lambda check=check: [check(settings)]):
            is_sound = is_sound and (finding.is_good or name not in place.GROUND)
            yield finding
    if is_sound:
        yield from _tried("data", lambda: rooms.findings(settings))


def _tried(name: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except AimassError as reason:
        yield Finding(name=name, is_good=False, detail=reason.message, hint=reason.hint)
    except (OSError, sqlite3.Error) as reason:
        yield Finding(name=name, is_good=False, detail=str(reason), hint="look at the file's owner, rights and disk")
