"""The job ``models.review``: what a package must pass before anybody may use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from aimass.infra.compute import Environment, Room, Sandbox, child_environment, find_sandbox, sandboxed, without_python
from aimass.kernel.errors import AimassError
from aimass.models.children.environment import own_environment
from aimass.models.errors import BrokenPackage
from aimass.models.package import SAMPLES, Package, read_package, verify_package
from aimass.models.runtimes import check_file, find_runtime, runtime_module

SECONDS = 60.0
_TAIL_BYTES = 64 * 1024
_PLACE = "/package"  # where a sandbox shows it


def review(ctx: Any) -> dict[str, Any]:
    """Run the checks on a package.

    The payload names the ``package`` folder, its ``origin`` ("run" for our own training, "upload" for everything
    else) and optionally ``seconds``, the time that loading and answering the samples may take.
    """
    folder = Path(ctx.params["package"])
    origin = ctx.params.get("origin", "upload")
    package, checks = None, [_check("manifest", lambda: _manifest(folder))]
    if checks[0]["passed"]:
        ctx.report(0.2, stage="format")
        package = read_package(folder)
        checks.append(_check("format", lambda: _format(package, origin)))
    if package is not None and all(check["passed"] for check in checks):
        ctx.report(0.4, stage="smoke inference")
        checks += _tried(lambda: _inference(ctx, package, origin))
    ctx.report(1.0, stage="done")
    return {"passed": all(check["passed"] for check in checks), "checks": checks}


def _check(name: str, look: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"name": name, "passed": True, "evidence": look()}
    except AimassError as reason:
        return {"name": name, "passed": False, "evidence": reason.message, "problem": reason.problem()}


def _manifest(folder: Path) -> str:
    package = verify_package(folder)
    signature = package.manifest.signature
    if not signature.inputs or not signature.outputs:
        raise BrokenPackage("the signature names no inputs or no outputs", field="signature")
    if package.manifest.entry is not None and find_runtime(package.manifest.runtime).is_inline:
        raise BrokenPackage(
            f"a package of runtime {package.manifest.runtime!r} brings no code",
            field="entry",
            value=package.manifest.entry,
            hint="leave the entry out, or take the runtime python",
        )
    files, answers = len(package.manifest.files), len(signature.outputs)
    said = f"{len(signature.classes)} classes" if signature.classes else f"{answers} outputs"
    return f"{files} files match their SHA-256; {len(signature.inputs)} inputs, {said}"


def _format(package: Package, origin: str) -> str:
    runtime = find_runtime(package.manifest.runtime)
    if origin != "run" and not runtime.uploads:
        raise BrokenPackage(
            f"uploaded packages of runtime {runtime.name!r} are not allowed",
            field="runtime",
            value=runtime.name,
            hint="export the model to ONNX, or train it here",
        )
    sentences: list[str] = []
    for name in package.manifest.files:
        if name == SAMPLES:
            continue
        if not name.endswith(runtime.suffixes):
            raise BrokenPackage(
                f"file {name!r} is not allowed in a package of runtime {runtime.name!r}",
                field="files",
                value=name,
                allowed=list(runtime.suffixes),
            )
        sentences.append(f"{name}: {check_file(package, name)}")
    return "; ".join(sentences)


def _tried(look: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    try:
        return look()
    except AimassError as reason:
        evidence = f"{reason.message}; {reason.hint}" if reason.hint else reason.message
        return [{"name": "smoke", "passed": False, "evidence": evidence, "problem": reason.problem()}]


def _inference(ctx: Any, package: Package, origin: str) -> list[dict[str, Any]]:
    """Load the package and answer its samples, in a process of its own and, where there is one, in a sandbox."""
    sandbox = find_sandbox()
    if package.manifest.entry is not None and origin != "run" and not sandbox.is_there:
        said = f"a stranger's code is tried in a sandbox alone, and there is none: {sandbox.reason}"
        return [{"name": "smoke", "passed": False, "evidence": said}]
    root = Path(ctx.params.get("environments") or Path(ctx.work) / "environments")
    command, variables = _smoke(package, sandbox, own_environment(package, root, ctx.log))
    seconds = float(ctx.params.get("seconds", SECONDS))
    with TemporaryFile() as out, TemporaryFile() as err:
        try:
            code = subprocess.run(
                command, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=seconds, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            return [{"name": "smoke", "passed": False, "evidence": f"no answer within {seconds:g} s"}]
        told, words = _last_line(out), _last_line(err)
    if code != 0:
        said = f"loading or answering failed: {words[:500] or f'exit status {code}'}"
        return [{"name": "smoke", "passed": False, "evidence": said}]
    found = json.loads(told)
    return [
        {"name": "smoke", "passed": True, "evidence": f"one row answered in {found['row_us']} µs"},
        {"name": "parity", "passed": found["parity"]["passed"], "evidence": found["parity"]["evidence"]},
    ]


def _last_line(file: IO[bytes]) -> str:
    """Return the last line of what a process printed, however much that is."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _smoke(package: Package, sandbox: Sandbox, own: Environment | None) -> tuple[list[str], dict[str, str]]:
    """Return command line and environment of the trial."""
    python, variables = sys.executable, child_environment()
    if own is not None:
        python, variables = str(own.python), {**without_python(variables), **own.variables()}
    command, module = [python, "-m", "aimass.models.children.smoke"], runtime_module(package.manifest.runtime)
    if not sandbox.is_there:
        return [*command, str(package.folder), module], variables
    room = Room(read={_PLACE: package.folder})
    folders = None if own is None else own.folders()
    return sandboxed([*command, _PLACE, module], room, variables, interpreters=folders), variables
