"""What pip installed: Python, the engines, the console's files, the rooms."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

import orjson

from aimass._version import __version__
from aimass.bootstrap.discovery import capabilities
from aimass.bootstrap.settings import PlatformSettings
from aimass.kernel.capability import load
from aimass.kernel.findings import Finding, finding_of

_ENGINES = ("duckdb", "deltalake", "polars", "scikit-learn", "lightgbm", "onnxruntime", "skl2onnx", "dbos", "uvloop")
_AGAIN = "install AI Mass again: pip install --force-reinstall aimass"


def python(_: PlatformSettings) -> Finding:
    """Look at the interpreter."""
    detail = f"AI Mass {__version__} on Python {sys.version.split()[0]}"
    return Finding(
        name="python", is_good=sys.version_info >= (3, 11), detail=detail, hint="Python 3.11 or newer is needed"
    )


def packages(_: PlatformSettings) -> Finding:
    """Look for the engines."""
    missing = []
    for name in _ENGINES:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    return finding_of("packages", f"{len(_ENGINES)} engines installed", [f"{m} is missing" for m in missing], _AGAIN)


def console_assets(_: PlatformSettings) -> Finding:
    """Look for every file of the console."""
    static = files("aimass.web").joinpath("static")
    hint = "build them: pip install -e . on a checkout, or install the wheel again"
    manifest = static.joinpath("manifest.json")
    if not manifest.is_file():
        return Finding(name="console", is_good=False, detail="static/manifest.json is missing", hint=hint)
    names = orjson.loads(manifest.read_bytes())["files"].values()
    missing = [f"static/{name} is missing" for name in names if not static.joinpath(name).is_file()]
    return finding_of("console", f"{len(names)} files", missing, hint)


def rooms(_: PlatformSettings) -> Finding:
    """Load every room, each named one first."""
    found, faults = capabilities(), list[str]()
    for capability in found:
        try:
            for face in (capability.build, capability.service, capability.api, capability.console, capability.doctor):
                if face:
                    load(face)
        except (ImportError, AttributeError) as reason:
            faults.append(f"{capability.name}: {reason}")
    return finding_of("rooms", ", ".join(c.name for c in found), faults, _AGAIN)
