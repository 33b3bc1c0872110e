"""Environments of their own for packages that bring a lock: made once for each lock by uv, shared, and kept by its hash.

Only wheels are installed, whose hashes the lock names, and no Python of the new environment runs while it is made: what a
stranger put into a wheel runs later, in the sandbox of a worker.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from aimass.infra.compute.locks import read_lock
from aimass.infra.compute.sandbox import own_folders, package_folder
from aimass.infra.parent import die_with_parent
from aimass.kernel.errors import Failed, MissingExtra

READY = "ready"
_NEEDED = ("numpy", "orjson")  # of a worker, besides what the package needs
_OURS = f"{sys.version_info.major}.{sys.version_info.minor}"
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+")
_MOST_WORDS = 600
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter with the packages of a lock.

    Attributes
    ----------
    root
        Its folder: ``venv``, the way to our own code (``bridge``), and when it is whole the file ``ready``, which says
        where its Python lies.
    """

    root: Path

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.root / "venv" / "bin" / "python"

    @property
    def is_ready(self) -> bool:
        """Tell whether it is whole; one that does not say where its Python lies is made anew."""
        return bool(self._home())

    def variables(self) -> dict[str, str]:
        """Return what lets the interpreter find our own code, and nothing else of ours."""
        return {"PYTHONPATH": str(self.root / "bridge"), "VIRTUAL_ENV": str(self.root / "venv")}

    def folders(self) -> list[Path]:
        """Return the folders that the interpreter reads: its own, the base of its Python, and ours."""
        home = Path(self._home())
        return [self.root, home.parent, home.resolve().parent, *own_folders()]

    def _home(self) -> str:
        """Return where the Python lies: noted before any wheel was installed, since one may bring a pyvenv.cfg."""
        try:
            return (self.root / READY).read_text()
        except OSError:
            return ""

    def touch(self) -> None:
        """Note that it was used."""
        with suppress(OSError):
            os.utime(self.root / READY)


def environment_of(root: Path, lock: Path, python: str) -> Environment:
    """Return the environment of a lock for a version of Python, whether it is made already or not.

    Raises
    ------
    Invalid
        The lock has a line that is no exact version with hashes.
    """
    read_lock(lock)
    text = lock.read_bytes() + f"\n{minor_of(python)} {sys.platform}".encode()
    return Environment(root / sha256(text).hexdigest()[:32])


def minor_of(python: str) -> str:
    """Return the version of Python that counts.

    Examples
    --------
    >>> minor_of("3.11.7")
    '3.11'
    """
    return ".".join(python.split(".")[:2])


def make_environment(environment: Environment, lock: Path, python: str, variables: Mapping[str, str], say: Say) -> None:
    """Make an environment, which takes as long as its packages take; two who make the same one wait for each other.

    Raises
    ------
    Failed
        The lock cannot be installed; the message ends with uv's own words.
    MissingExtra
        uv is not installed.
    """
    environment.root.parent.mkdir(parents=True, exist_ok=True)
    with held(environment.root):
        if environment.is_ready:
            return
        building = environment.root.with_name(f"{environment.root.name}.building")
        for place in (building, environment.root):  # what a killed one left
            shutil.rmtree(place, ignore_errors=True)
        building.mkdir(mode=0o700)
        try:
            _build(Environment(building), lock, minor_of(python), (variables, say))
            building.rename(environment.root)
        except OSError as reason:
            raise Failed(f"the environment of the package cannot be made: {reason.strerror}") from reason
        finally:
            shutil.rmtree(building, ignore_errors=True)


@contextmanager
def held(root: Path, *, waits: bool = True) -> Iterator[bool]:
    """Be the only one who changes an environment; tells whether that is so, for those who do not wait."""
    with root.with_name(f"{root.name}.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def _build(place: Environment, lock: Path, minor: str, how: tuple[Mapping[str, str], Say]) -> None:
    uv, venv = uv_program(), place.root / "venv"
    present = read_lock(lock)
    how[1](f"making an environment with Python {minor}")
    python = getattr(sys, "_base_executable", sys.executable) if minor == _OURS else minor
    _run([uv, "venv", "--quiet", "--relocatable", "--no-project", "--python", python, str(venv)], how)
    home = _home_of(venv / "pyvenv.cfg")
    how[1](f"installing {len(present)} packages")
    if present:
        install = [uv, "pip", "install", "--no-progress", "--no-build", "--no-deps", "--require-hashes"]
        _run([*install, "--python", str(place.python), "--requirement", str(lock)], how)
    bridge = place.root / "bridge"
    bridge.mkdir()
    (bridge / "aimass").symlink_to(package_folder())
    _lend(bridge, [name for name in _NEEDED if name not in present], minor)
    (place.root / READY).write_text(home)


def _home_of(config: Path) -> str:
    """Return where the Python of a new environment lies."""
    pairs = (line.partition("=") for line in config.read_text().splitlines())
    return next(value.strip() for name, _, value in pairs if name.strip() == "home")


def _lend(bridge: Path, names: list[str], minor: str) -> None:
    """Let an environment find our own copy of what a worker needs and its lock does not name."""
    if names and minor != _OURS:
        raise Failed(
            f"the lock is for Python {minor}, and names no {names[0]}",
            value=names[0],
            hint=f"name {' and '.join(_NEEDED)} in it, or package the model for Python {_OURS}",
        )
    for name in names:
        spec = find_spec(name)
        for place in spec.submodule_search_locations or () if spec is not None else ():
            (bridge / name).symlink_to(Path(place).resolve())


def uv_program() -> str:
    """Return uv: the one beside this interpreter, or the one on the path."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise MissingExtra("environments")
    return found


def _run(command: list[str], how: tuple[Mapping[str, str], Say]) -> None:
    """Run one step, and tell each line that it says; addresses of indexes are told to nobody."""
    variables, say = how
    heard: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**variables},
        text=True,
        errors="replace",
        preexec_fn=die_with_parent,  # noqa: PLW1509 it makes one system call; nobody else may go on in a folder that is made anew
    ) as process:
        for line in process.stdout or ():
            text = _ADDRESS.sub("(address)", line).strip()
            if text:
                heard.append(text)
                say(text[:200])
    if process.returncode:
        words = " ".join(heard)[-_MOST_WORDS:]
        raise Failed(f"the environment of the package cannot be made: {words or process.returncode}")


def remove_environment(environment: Environment) -> bool:
    """Remove an environment; one that somebody makes at this moment stays."""
    with held(environment.root, waits=False) as is_mine:
        if not is_mine:
            return False
        gone = environment.root.with_name(f"{environment.root.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        with suppress(FileNotFoundError):
            environment.root.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    return True
