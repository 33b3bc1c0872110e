"""Write what is derived from the use cases: the SDK, the catalogue of the CLI and the reference pages.

``python tools/generate.py`` writes; ``--check`` only tells whether everything is up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tools.generation import reference, sdk  # noqa: E402
from tools.generation.model import gather  # noqa: E402


def main() -> int:
    platform = gather()
    files = sdk.files(platform) | reference.files(platform)
    stale = [name for name, text in files.items() if _old(name) != text]
    gone = [
        path
        for path in sorted((ROOT / "src/aimass/client/generated").glob("*.py"))
        if str(path.relative_to(ROOT)) not in files
    ]
    if "--check" in sys.argv:
        for name in stale:
            print(f"stale: {name} (run python tools/generate.py)")
        return 1 if stale or gone else 0
    for name in stale:
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[name])
        print(f"wrote {name}")
    for path in gone:
        path.unlink()
    return 0


def _old(name: str) -> str | None:
    path = ROOT / name
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    raise SystemExit(main())
