"""The model library as this room needs it: what an alias or a version stands for, and its package in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.models import LOCK, Column, Models, ModelVersion, OneModel, find_runtime, read_package, runtime_module
from aimass.serving.domain.snippets import ExampleColumn
from aimass.serving.errors import NotDeployable

_NEUTRAL = {"string": "", "float": 0.0, "integer": 0, "boolean": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model version that may be deployed; ``size`` are the bytes of its files, where that is known."""

    id: str
    model: str
    number: int
    digest: str
    runtime: str
    size: int = 0


class Library(Protocol):
    """Finds model versions and lays out their packages."""

    def find(self, workspace: str, model: str, alias_or_version: str | int) -> Target:
        """Return the version, or refuse one that may not be deployed."""
        ...

    def lay_out(self, target: Target) -> Path:
        """Return the folder of the package, checked against its manifest."""
        ...

    def is_inline(self, target: Target) -> bool:
        """Tell whether the package only describes a computation, so that the gateway may run it itself."""
        ...

    def module(self, target: Target) -> str:
        """Return the package of its runtime, which a worker imports."""
        ...


class ModelLibrary:
    """The library of the room models."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def find(self, workspace: str, model: str, alias_or_version: str | int) -> Target:
        """Return the version, or refuse one that may not be deployed."""
        version = self._version(workspace, model, alias_or_version)
        if version.review != "APPROVED":
            raise NotDeployable(
                f"version {version.number} of model {model!r} is not approved: its review is {version.review or 'missing'}",
                field="model_version",
                value=version.number,
                hint=f"aimass models review {version.number} --model {model}",
            )
        return Target(
            id=version.id,
            model=version.model,
            number=version.number,
            digest=version.digest,
            runtime=version.runtime,
            size=version.size,
        )

    def _version(self, workspace: str, model: str, alias_or_version: str | int) -> ModelVersion:
        if isinstance(alias_or_version, int):
            return self._models.version(workspace, model, alias_or_version)
        found = self._models.aliased(workspace, model, alias_or_version)
        if found is None:
            known = self._models.get_model(SYSTEM, OneModel(workspace=workspace, model=model)).aliases
            raise NotFound(
                f"model {model!r} has no alias {alias_or_version!r}",
                field="alias",
                value=alias_or_version,
                allowed=sorted(known),
                hint=f"aimass models alias {alias_or_version} --model {model} --number ..., or deploy a version",
            )
        return found

    def lay_out(self, target: Target) -> Path:
        """Return the folder of the package, checked against its manifest."""
        return self._models.package_folder(target.digest)

    def is_inline(self, target: Target) -> bool:
        """Tell whether the package only describes a computation, so that the gateway may run it itself."""
        return find_runtime(target.runtime).is_inline

    def module(self, target: Target) -> str:
        """Return the package of its runtime, which a worker imports."""
        return runtime_module(target.runtime)


def lock_of(folder: Path) -> tuple[Path, str] | None:
    """Return the lock of a package and the Python for which it was made; None where it has none, or is not there."""
    lock = folder / LOCK
    return (lock, read_package(folder).manifest.environment.python) if lock.is_file() else None


def example_of(folder: Path) -> list[ExampleColumn]:
    """Return the inputs of a package with the values of its first sample."""
    package = read_package(folder)
    samples: dict[str, list[Any]] = package.samples()["inputs"]
    return [_example(column, samples.get(column.name)) for column in package.manifest.signature.inputs]


def _example(column: Column, values: list[Any] | None) -> ExampleColumn:
    value, shape = value_of(column.type, values), [1, 1]
    if column.shape is not None:
        value = [value] if column.shape[:1] == (-1,) else values
        shape = nested_shape(value)
    return ExampleColumn(
        name=column.name,
        type=column.type,
        value=value,
        datatype=column.element,
        shape=shape,
        is_tensor=column.shape is not None,
    )


def nested_shape(value: Any) -> list[int]:
    """Return the shape of nested lists.

    Examples
    --------
    >>> nested_shape([[1, 2, 3]])
    [1, 3]
    """
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def value_of(kind: str, values: list[Any] | None) -> Any:
    """Return the first value that is not null."""
    return next((value for value in values or () if value is not None), _NEUTRAL[kind])
