"""Locks of packages: every requirement an exact version with its hashes, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from aimass.kernel.errors import Invalid

MAX_LOCK_BYTES = 4 * 1024 * 1024
_LINE = re.compile(
    r"""(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[A-Za-z0-9,._ -]*\])?==(?P<version>[A-Za-z0-9.!+_-]+)
    (\s*;[^@]*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"(^|\s)#.*$")


def parse_lock(text: str) -> dict[str, str]:
    r"""Return the packages of a lock with their versions, or refuse a line that is no exact version with hashes.

    Examples
    --------
    >>> parse_lock("# made by uv\nNumPy==2.4.6 \\\n    --hash=sha256:" + "a" * 64)
    {'numpy': '2.4.6'}
    """
    found: dict[str, str] = {}
    for line in _joined(text):
        match = _LINE.fullmatch(line)
        if match is None:
            raise Invalid(
                f"a lock has exact versions with hashes alone, and not {line[:120]!r}",
                field="requirements.lock",
                value=line[:120],
                allowed="name==version --hash=sha256:...",
                hint="uv pip compile --generate-hashes --no-emit-index-url requirements.in -o requirements.lock",
            )
        found[re.sub(r"[-_.]+", "-", match["name"]).lower()] = match["version"]
    return found


def read_lock(path: Path) -> dict[str, str]:
    """Return the packages of a lock in a file."""
    size = path.stat().st_size
    if size > MAX_LOCK_BYTES:
        raise Invalid(f"{path.name} has {size} bytes", field=path.name, value=size, allowed=MAX_LOCK_BYTES)
    return parse_lock(path.read_text(encoding="utf-8"))


def _joined(text: str) -> list[str]:
    """Return the lines that say something, with those that go on put together."""
    plain = "\n".join(_COMMENT.sub("", line).rstrip() for line in text.splitlines())
    return [line.strip() for line in plain.replace("\\\n", " ").splitlines() if line.strip()]
