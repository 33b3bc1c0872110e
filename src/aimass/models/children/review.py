"""The job ``models.review``: what a package must pass before anybody may use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aimass.infra.compute import find_sandbox
from aimass.kernel.errors import AimassError
from aimass.models.children.trial import tried
from aimass.models.errors import BrokenPackage
from aimass.models.package import SAMPLES, Package, read_package, verify_package
from aimass.models.runtimes import brings_code, check_file, find_runtime, used_runtimes

SECONDS = 60.0


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
    shut = [one.name for one in used_runtimes(package) if not one.uploads] if origin == "upload" else []
    if shut:
        raise BrokenPackage(
            f"uploaded packages of runtime {shut[0]!r} are not allowed",
            field="runtime",
            value=shut[0],
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
    if origin == "upload" and brings_code(package) and not sandbox.is_there:
        said = f"a stranger's code is tried in a sandbox alone, and there is none: {sandbox.reason}"
        return [{"name": "smoke", "passed": False, "evidence": said}]
    seconds = float(ctx.params.get("seconds", SECONDS))
    told, fault = tried(ctx, package, "aimass.models.children.smoke", seconds)
    if fault:
        return [{"name": "smoke", "passed": False, "evidence": fault}]
    found = json.loads(told)
    return [
        {"name": "smoke", "passed": True, "evidence": f"one row answered in {found['row_us']} µs"},
        {"name": "parity", "passed": found["parity"]["passed"], "evidence": found["parity"]["evidence"]},
    ]
