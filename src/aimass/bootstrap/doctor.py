"""``aimass doctor``: look at everything a working installation needs, and name what is wrong and the way out."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

import orjson

from aimass.bootstrap.discovery import capabilities
from aimass.bootstrap.lock import lock_data_dir
from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.supervisor import check_port
from aimass.bootstrap.waiting import answers
from aimass.cli import console
from aimass.kernel.capability import load
from aimass.kernel.errors import AimassError
from aimass.kernel.layout import DataDir

_LEAST_FREE_BYTES = 1 << 30
_ENGINES = ("duckdb", "deltalake", "polars", "scikit-learn", "lightgbm", "onnxruntime", "skl2onnx", "dbos", "uvloop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    is_good: bool
    detail: str
    hint: str = ""


def report(settings: PlatformSettings, *, as_json: bool) -> int:
    """Print what was found; return 0 only when nothing is wrong."""
    findings = list(examine(settings))
    if as_json:
        print(orjson.dumps([asdict(f) for f in findings], option=orjson.OPT_INDENT_2).decode())  # noqa: T201 output
    else:
        for finding in findings:
            mark = "[green]ok[/green]  " if finding.is_good else "[red]bad[/red] "
            console.print(f"{mark} {finding.name}: {finding.detail}")
            if finding.hint and not finding.is_good:
                console.print(f"      {finding.hint}", style="dim")
    return 0 if all(f.is_good for f in findings) else 1


def examine(settings: PlatformSettings) -> Iterator[Finding]:
    """Yield a finding for each part."""
    checks: list[Callable[[PlatformSettings], Finding]] = [
        _python,
        _packages,
        _console_assets,
        _rooms,
        _disk,
        _rights,
        _running,
        _database,
    ]
    for check in checks:
        try:
            yield check(settings)
        except (AimassError, OSError, sqlite3.Error) as reason:
            hint = reason.hint if isinstance(reason, AimassError) else ""
            yield Finding(
                name=check.__name__.strip("_").replace("_", " "), is_good=False, detail=str(reason), hint=hint
            )


def _python(_: PlatformSettings) -> Finding:
    good = sys.version_info >= (3, 11)
    return Finding(name="python", is_good=good, detail=sys.version.split()[0], hint="Python 3.11 or newer is needed")


def _packages(_: PlatformSettings) -> Finding:
    missing = []
    for name in _ENGINES:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    detail = f"missing: {', '.join(missing)}" if missing else f"{len(_ENGINES)} engines installed"
    return Finding(
        name="packages",
        is_good=not missing,
        detail=detail,
        hint="install AI Mass again: pip install --force-reinstall aimass",
    )


def _console_assets(_: PlatformSettings) -> Finding:
    manifest = files("aimass.web").joinpath("static", "manifest.json")
    return Finding(
        name="console",
        is_good=manifest.is_file(),
        detail="assets are there" if manifest.is_file() else "assets are missing",
        hint="build them: pip install -e . on a checkout, or install the wheel again",
    )


def _rooms(_: PlatformSettings) -> Finding:
    found = capabilities()
    for capability in found:
        for face in (capability.build, capability.service, capability.api, capability.console):
            if face:
                load(face)
    return Finding(name="rooms", is_good=True, detail=", ".join(c.name for c in found))


def _disk(settings: PlatformSettings) -> Finding:
    place = settings.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return Finding(
        name="disk",
        is_good=free > _LEAST_FREE_BYTES,
        detail=f"{free / 2**30:.1f} GiB free at {settings.data_dir}",
        hint="free some space, or choose another --data-dir",
    )


def _rights(settings: PlatformSettings) -> Finding:
    root, keys = settings.data_dir, DataDir(settings.data_dir).keys
    if not root.exists():
        return Finding(name="data directory", is_good=True, detail=f"{root} will be made at the first start")
    if not os.access(root, os.W_OK):
        return Finding(
            name="data directory", is_good=False, detail=f"{root} cannot be written", hint="change its owner or rights"
        )
    wide = keys.exists() and keys.stat().st_mode & 0o077
    return Finding(
        name="data directory",
        is_good=not wide,
        detail=str(root) if not wide else f"{keys} is readable by others",
        hint=f"chmod 700 {keys}",
    )


def _running(settings: PlatformSettings) -> Finding:
    try:
        if settings.data_dir.exists():
            lock_data_dir(settings.data_dir).close()
    except AimassError:
        good = answers(settings.host, settings.port, "/readyz")
        detail = (
            f"runs at http://{settings.host}:{settings.port}"
            if good
            else f"runs, but does not answer on port {settings.port}"
        )
        return Finding(name="platform", is_good=good, detail=detail, hint=f"read {settings.data_dir / 'logs'}")
    check_port(settings.host, settings.port)
    return Finding(name="platform", is_good=True, detail=f"not running; port {settings.port} is free")


def _database(settings: PlatformSettings) -> Finding:
    path = DataDir(settings.data_dir).database
    if settings.database or not path.exists():
        return Finding(
            name="database",
            is_good=True,
            detail=settings.database.partition("@")[2] or "will be made at the first start",
        )
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5) as file:
        verdict = file.execute("pragma quick_check").fetchone()[0]
    file.close()
    return Finding(
        name="database",
        is_good=verdict == "ok",
        detail=f"{path.name}: {verdict}",
        hint="restore the last backup: aimass restore",
    )
