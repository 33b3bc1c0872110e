"""Runtimes load a package and answer; each is a plug-in of the entry-point group ``aimass.runtimes``.

A runtime is a package with a light ``manifest`` (``RUNTIME``), a ``run`` part (``load(package, threads=...)``, with
``device=...`` where it can choose one) and a ``check`` part (``check(package, file)``), which looks into a file without
running it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from typing import Any, Protocol

from aimass.infra.devices import CPU
from aimass.kernel.errors import Invalid
from aimass.models.package import Package

GROUP = "aimass.runtimes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The light side of a runtime.

    Attributes
    ----------
    is_inline
        True when a package only describes a computation and runs no code of its own, so that the gateway may run it.
    uploads
        True when a stranger's package of this runtime may be reviewed at all.
    suffixes
        The files it allows in a package, besides the samples.
    """

    name: str
    title: str
    is_inline: bool
    uploads: bool
    suffixes: tuple[str, ...]


class LoadedModel(Protocol):
    """A model in memory."""

    def predict(self, columns: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer columns of inputs with columns of outputs, row by row; a column is a list or an array."""
        ...


class ArrayModel(LoadedModel, Protocol):
    """A model in memory of a runtime that is inline: it also takes and returns whole arrays, from several threads."""

    def answer(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Answer arrays of inputs (text as objects, all else as 32 bit floats, NaN for null) with arrays of outputs."""
        ...


@cache
def runtimes() -> dict[str, Runtime]:
    """Return every installed runtime by name; reads manifests only."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: import_module(f"{point.value}.manifest").RUNTIME for point in found}


def find_runtime(name: str) -> Runtime:
    """Return a runtime by name, or say which there are."""
    if name not in runtimes():
        raise Invalid(f"there is no runtime {name!r}", field="runtime", value=name, allowed=sorted(runtimes()))
    return runtimes()[name]


def runtime_module(name: str) -> str:
    """Return the package of a runtime, whose ``run`` part a worker imports."""
    find_runtime(name)
    (point,) = entry_points(group=GROUP, name=name)
    return point.value


def load_model(package: Package, *, threads: int = 1, module: str | None = None, device: str = CPU) -> LoadedModel:
    """Load a package with its runtime; heavy, never called in control.

    ``module`` is the runtime's package, for a process that knows it already.
    """
    run = import_module(f"{module or runtime_module(package.manifest.runtime)}.run")
    more = {"device": device} if "device" in signature(run.load).parameters else {}
    return run.load(package, threads=threads, **more)


def brings_code(package: Package) -> bool:
    """Tell whether a package brings code of its own, in one of its steps where it is a graph. For children."""
    found = import_module(f"{runtime_module(package.manifest.runtime)}.check")
    return found.brings_code(package) if hasattr(found, "brings_code") else package.manifest.entry is not None


def used_runtimes(package: Package) -> list[Runtime]:
    """Return the runtimes that a package needs: its own, and those of its steps where it is a graph. For children."""
    found = import_module(f"{runtime_module(package.manifest.runtime)}.check")
    more = found.used_runtimes(package) if hasattr(found, "used_runtimes") else []
    return [find_runtime(package.manifest.runtime), *more]


def check_file(package: Package, file: str) -> str:
    """Let the runtime of a package look into a file; return one sentence, or refuse the file. Heavy, for children."""
    return import_module(f"{runtime_module(package.manifest.runtime)}.check").check(package, file)
