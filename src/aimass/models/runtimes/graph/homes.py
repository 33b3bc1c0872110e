"""In which environment the steps of a graph can run together: they share one process."""

from __future__ import annotations

from collections.abc import Mapping

from aimass.infra.compute import read_lock
from aimass.models.errors import BrokenGraph
from aimass.models.package import LOCK, Package

_ENGINE = "onnxruntime"


def home_of(steps: Mapping[str, Package]) -> str | None:
    """Return the step whose lock the graph runs in; None for the environment of the platform.

    Raises
    ------
    BrokenGraph
        Two steps cannot live in one process: locks differ, or both bring a module of the same name.
    """
    _check_modules(steps)
    locked = {name: one.manifest.files[LOCK].sha256 for name, one in steps.items() if LOCK in one.manifest.files}
    if not locked:
        return None
    home = next(iter(locked))
    for name, step in steps.items():
        if step.manifest.runtime == "onnx":
            _check_engine(name, home, steps[home])
        elif locked.get(name) != locked[home] or _minor(step) != _minor(steps[home]):
            raise BrokenGraph(
                f"steps {home!r} and {name!r} do not run in the same environment",
                field=f"graph.steps.{name}.model",
                value=name,
                allowed=f"{LOCK} and Python of step {home!r}",
                hint="package both with one lock, or deploy one of them as a service of its own",
            )
    return home


def _check_engine(name: str, home: str, package: Package) -> None:
    if _ENGINE not in read_lock(package.folder / LOCK):
        raise BrokenGraph(
            f"step {name!r} needs {_ENGINE}, which the environment of step {home!r} does not have",
            field=f"graph.steps.{home}.model",
            value=home,
            hint=f"name {_ENGINE} in its {LOCK}",
        )


def _minor(package: Package) -> list[str]:
    return package.manifest.environment.python.split(".")[:2]


def _check_modules(steps: Mapping[str, Package]) -> None:
    """Refuse two packages that bring a module of the same name: one process has one of each."""
    owners: dict[str, tuple[str, str]] = {}
    for name, step in steps.items():
        if step.manifest.entry is None:
            continue
        for file in step.manifest.files:
            module = file.partition("/")[0].removesuffix(".py")
            if not file.endswith(".py"):
                continue
            owner, digest = owners.setdefault(module, (name, step.digest))
            if digest != step.digest:
                raise BrokenGraph(
                    f"steps {owner!r} and {name!r} both bring a module {module!r}",
                    field=f"graph.steps.{name}.model",
                    value=module,
                    hint="give it another name in one of them, and package that one again",
                )
