"""The job ``models.review``: what a package must pass before anybody may use it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aimass.infra.compute import Room, child_environment, find_sandbox, sandboxed
from aimass.kernel.errors import AimassError
from aimass.models.errors import BrokenPackage
from aimass.models.package import SAMPLES, Package, read_package, verify_package
from aimass.models.runtimes import check_file, find_runtime

SECONDS = 60.0


def review(ctx: Any) -> dict[str, Any]:
    """Run the checks on a package.

    The payload names the ``package`` folder, its ``origin`` ("run" for our own training, "upload" for everything
    else) and optionally ``seconds``, the time that loading and answering the samples may take.
    """
    folder = Path(ctx.params["package"])
    origin = ctx.params.get("origin", "upload")
    checks = [_check("manifest", lambda: _manifest(folder))]
    if checks[0]["passed"]:
        ctx.report(0.2, stage="format")
        package = read_package(folder)
        checks.append(_check("format", lambda: _format(package, origin)))
    if all(check["passed"] for check in checks):
        ctx.report(0.4, stage="smoke inference")
        checks += _inference(folder, float(ctx.params.get("seconds", SECONDS)))
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


def _inference(folder: Path, seconds: float) -> list[dict[str, Any]]:
    command, variables = _smoke(folder)
    try:
        done = subprocess.run(command, env=variables, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return [{"name": "smoke", "passed": False, "evidence": f"no answer within {seconds:g} s"}]
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return [{"name": "smoke", "passed": False, "evidence": f"loading or answering failed: {last[0][:500]}"}]
    found = json.loads(done.stdout)
    return [
        {"name": "smoke", "passed": True, "evidence": f"one row answered in {found['row_us']} us"},
        {"name": "parity", "passed": found["parity"]["passed"], "evidence": found["parity"]["evidence"]},
    ]


def _smoke(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return command line and environment of the trial, in a sandbox where there is one."""
    command, variables = [sys.executable, "-m", "aimass.models.children.smoke"], child_environment()
    if not find_sandbox().is_there:
        return [*command, str(folder)], variables
    return sandboxed([*command, "/package"], Room(read={"/package": folder}), variables), variables
