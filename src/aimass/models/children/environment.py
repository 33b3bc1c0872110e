"""The environment of a package that brings a lock, for jobs that run its model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aimass.infra.compute import Environment, environment_of, installer_environment, make_environment
from aimass.models.package import LOCK, Package
from aimass.models.runtimes import find_runtime


def own_environment(package: Package, root: Path, say: Callable[[str], None]) -> Environment | None:
    """Return the environment of a package, which is made when it is missing; None where it runs in the platform's."""
    if LOCK not in package.manifest.files or find_runtime(package.manifest.runtime).is_inline:
        return None
    lock, python = package.folder / LOCK, package.manifest.environment.python
    environment = environment_of(root, lock, python)
    if not environment.is_ready:
        make_environment(environment, lock, python, installer_environment(), say)
    environment.touch()
    return environment
