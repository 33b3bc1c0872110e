"""Run a package in a process of its own and, where there is one, in a sandbox; what it prints last is its answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from aimass.infra.compute import Environment, Room, Sandbox, child_environment, find_sandbox, sandboxed, without_python
from aimass.models.children.environment import own_environment
from aimass.models.package import Package
from aimass.models.runtimes import runtime_module

_TAIL_BYTES = 8 * 1024 * 1024
_SAID = 500
_PLACE = "/package"  # where a sandbox shows it


def tried(ctx: Any, package: Package, program: str, seconds: float) -> tuple[str, str]:
    """Return the last line that a program printed about a package, and what went wrong; one of them is empty."""
    given = ctx.params.get("environments")
    root = Path(given or Path(ctx.work) / "environments")
    hide = (root.parent,) if given else ()  # the data directory
    command, variables = _command(package, program, find_sandbox(), own_environment(package, root, ctx.log), hide)
    with TemporaryFile() as out, TemporaryFile() as err:
        try:
            code = subprocess.run(
                command, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=seconds, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            return "", f"no answer within {seconds:g} s"
        told, words = _last_line(out), _last_line(err)
    if code != 0:
        return "", f"loading or answering failed: {words[:_SAID] or f'exit status {code}'}"
    return told, ""


def _last_line(file: IO[bytes]) -> str:
    """Return the last line of what a process printed, however much that is."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _command(
    package: Package, program: str, sandbox: Sandbox, own: Environment | None, hide: tuple[Path, ...]
) -> tuple[list[str], dict[str, str]]:
    python, variables = sys.executable, child_environment()
    if own is not None:
        python, variables = str(own.python), {**without_python(variables), **own.variables()}
    command, module = [python, "-m", program], runtime_module(package.manifest.runtime)
    if not sandbox.is_there:
        return [*command, str(package.folder), module], variables
    room = Room(read={_PLACE: package.folder}, hide=hide)
    folders = None if own is None else own.folders()
    return sandboxed([*command, _PLACE, module], room, variables, interpreters=folders), variables
