"""Look into the package of a graph without running anything of it: each step by the rules of its own runtime."""

from __future__ import annotations

from aimass.models.errors import BrokenPackage
from aimass.models.package import LOCK, MANIFEST, Package
from aimass.models.runtimes import Runtime, check_file, find_runtime
from aimass.models.runtimes.graph.homes import home_of
from aimass.models.runtimes.graph.nested import GRAPH, name_of, read_steps


def check(package: Package, file: str) -> str:
    """Refuse a file that does not fit its step; return one sentence on what was found."""
    plan, steps = read_steps(package)
    if file == GRAPH:
        if package.manifest.entry is not None:
            raise BrokenPackage("a graph brings no code of its own", field="entry", value=package.manifest.entry)
        home_of(steps)
        return f"{len(plan.graph.steps)} steps, every wire fits"
    if file == LOCK:
        home = home_of(steps)
        if home is None or steps[home].manifest.files[LOCK] != package.manifest.files[LOCK]:
            raise BrokenPackage(f"{LOCK} is not that of the steps", field="files", value=LOCK)
        return f"the environment of step {home}"
    name, inner = name_of(file), file.split("/", 2)[-1]
    step = steps[name]
    if inner == MANIFEST:
        return f"pins package {step.digest[:12]}"
    runtime = find_runtime(step.manifest.runtime)
    if not inner.endswith(runtime.suffixes):
        raise BrokenPackage(
            f"file {file!r} is not allowed in a step of runtime {runtime.name!r}",
            field="files",
            value=file,
            allowed=list(runtime.suffixes),
        )
    return check_file(step, inner)


def used_runtimes(package: Package) -> list[Runtime]:
    """Return the runtimes of the steps."""
    return [find_runtime(step.manifest.runtime) for step in read_steps(package)[1].values()]


def brings_code(package: Package) -> bool:
    """Tell whether a step brings code of its own."""
    return any(step.manifest.entry is not None for step in read_steps(package)[1].values())
