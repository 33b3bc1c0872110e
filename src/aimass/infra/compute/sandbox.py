"""A sandbox for code that is not ours: bubblewrap where it works, and a plain statement where it does not.

Inside there is no other process and no file but the interpreter's own and what is handed in; everything is read-only
except one folder and a private ``/tmp``; there is no network unless it is asked for, no capability, and an environment
of a few harmless words.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from aimass.kernel.errors import Unavailable

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "nsswitch.conf")
_ETC_OF_NETWORK = ("resolv.conf", "hosts", "ssl", "pki", "ca-certificates")
_TMP = "/tmp"  # noqa: S108 the sandbox's own, in memory
_NOBODY = "65534"
_APART = ("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try")
_STRIPPED = ("--cap-drop", "ALL", "--uid", _NOBODY, "--gid", _NOBODY, "--hostname", "sandbox", "--clearenv")
_PASSED = ("LANG", "LC_", "PYTHON", "TZ", "OMP_", "OPENBLAS_", "MKL_", "POLARS_")
_DEVICES = ("nvidia*", "dri", "kfd")
_TMP_BYTES = 512 * 1024 * 1024
_PROBE_S = 10.0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Whether this machine can keep code in a sandbox, and why not."""

    is_there: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a sandboxed process may see besides its interpreter.

    Attributes
    ----------
    read
        Path inside to the folder outside that is seen there, read-only.
    write
        The same for folders that it may change.
    hide
        Folders that stay empty even when one of their parents is shown.
    network
        Whether it may reach the network, that of this machine included.
    """

    read: Mapping[str, Path] = field(default_factory=dict[str, Path])
    write: Mapping[str, Path] = field(default_factory=dict[str, Path])
    hide: tuple[Path, ...] = ()
    network: bool = False


def find_sandbox() -> Sandbox:
    """Say whether there is a sandbox on this machine; a program that is there may still be refused its namespaces."""
    if sys.platform != "linux":
        return Sandbox(is_there=False, reason=f"there is no bubblewrap on {sys.platform}")
    program = shutil.which("bwrap")
    if program is None:
        return Sandbox(is_there=False, reason="bubblewrap is not installed")
    refusal = _refusal(program)
    return Sandbox(is_there=not refusal, reason=refusal and f"bubblewrap does not work here: {refusal}")


def need_sandbox() -> None:
    """Refuse to go on where there is no sandbox.

    Raises
    ------
    Unavailable
        There is none; the message says why.
    """
    found = find_sandbox()
    if not found.is_there:
        raise Unavailable(
            f"a sandbox is wanted, and there is none: {found.reason}",
            field="isolation",
            value="sandbox",
            hint="install bubblewrap (apt-get install bubblewrap) and allow user namespaces, or choose auto",
        )


def _refusal(program: str) -> str:
    """Return why the sandbox does not start; empty when it does, which is not tried again."""
    refusal = _probe(program)
    if refusal:
        _probe.cache_clear()  # a machine may be repaired while the platform runs
    return refusal


@cache
def _probe(program: str) -> str:
    command = sandboxed([sys.executable, "-I", "-S", "-c", ""], Room(), {}, program=program)
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as reason:
        return str(reason)
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return "" if done.returncode == 0 else said[-1][:200] if said else f"exit status {done.returncode}"


@cache
def _abilities(program: str) -> str:
    """Return what a bubblewrap says it can do; older releases know fewer words."""
    done = subprocess.run([program, "--help"], capture_output=True, timeout=_PROBE_S, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


def sandboxed(
    command: Sequence[str],
    room: Room,
    environment: Mapping[str, str],
    *,
    interpreters: Iterable[Path] | None = None,
    program: str = "bwrap",
) -> list[str]:
    """Return a command that runs another one inside the sandbox.

    ``interpreters`` are the folders of the Python that runs there; those of this process when absent.
    """
    can = _abilities(program)
    arguments = [program, *_APART, *([] if room.network else ["--unshare-net"]), "--die-with-parent", "--new-session"]
    arguments += [*_STRIPPED, *(["--disable-userns"] if "--disable-userns" in can else [])]
    sized = ["--size", str(_TMP_BYTES)] if "--size" in can else []
    arguments += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]  # nobody may be root outside: no sysctl
    arguments += [*sized, "--tmpfs", "/dev/shm", *sized, "--tmpfs", _TMP, "--chdir", _TMP]  # noqa: S108 inside
    arguments += _shown(room, environment, interpreters)
    arguments += ["--remount-ro", "/dev", "--remount-ro", "/"]  # after what lies there: files would count for no limit
    words = {name: text for name, text in environment.items() if name.startswith(_PASSED)}
    usual = {"HOME": _TMP, "USER": "sandbox", "LOGNAME": "sandbox", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    for name, text in {**words, **usual}.items():
        arguments += ["--setenv", name, text]
    return [*arguments, "--", *command]


def _shown(room: Room, environment: Mapping[str, str], interpreters: Iterable[Path] | None) -> list[str]:
    """Return what mounts the files that may be seen; later mounts lie over earlier ones."""
    arguments: list[str] = []
    names = (*_ETC, *_ETC_OF_NETWORK) if room.network else _ETC
    for path in (*_SYSTEM, *(f"/etc/{name}" for name in names)):
        arguments += ["--ro-bind-try", path, path]
    paths = [Path(entry) for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    wanted = [*(own_folders() if interpreters is None else interpreters), *paths]
    shown = _outermost(wanted)
    for path in shown:
        arguments += ["--ro-bind-try", str(path), str(path)]
    for path in room.hide:
        if _is_inside(path, shown):
            arguments += ["--tmpfs", str(path)]
            for own in (one for one in wanted if one.is_relative_to(path)):  # an environment lies in the data directory
                arguments += ["--ro-bind-try", str(own), str(own)]
    for inside, outside in room.read.items():
        arguments += ["--ro-bind", str(outside), inside]
    for inside, outside in room.write.items():
        arguments += ["--bind", str(outside), inside]
    for path in (found for pattern in _DEVICES for found in sorted(Path("/dev").glob(pattern))):
        arguments += ["--dev-bind-try", str(path), str(path)]
    return arguments


def own_folders() -> list[Path]:
    """Return the folders from which this Python takes its programs: its prefixes and that of our own code."""
    found = [Path(sys.base_prefix), Path(sys.prefix), package_folder().parent]
    return [path for path in found if path.is_dir()]


def package_folder() -> Path:
    """Return the folder of our own code."""
    return Path(__file__).resolve().parents[2]


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Leave out folders that another one, or the system's, contains already.

    Examples
    --------
    >>> _outermost([Path("/opt/a"), Path("/opt/a/b"), Path("/usr/lib/python3")])
    [PosixPath('/opt/a')]
    """
    found: list[Path] = []
    for path in sorted({path.absolute() for path in paths}, key=lambda path: len(path.parts)):
        if not _is_inside(path, found):
            found.append(path)
    return found


def _is_inside(path: Path, shown: Iterable[Path]) -> bool:
    return any(path.is_relative_to(other) for other in (*shown, *map(Path, _SYSTEM)))
