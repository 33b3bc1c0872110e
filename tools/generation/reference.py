"""The reference pages of the manual that follow from the code."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from aimass.kernel.errors import AimassError
from tools.generation.model import Platform, operation_of
from tools.generation.pages import console_pages

FOLDER = "docs/reference"
SOURCE = Path(__file__).resolve().parents[2] / "src"
_ERRORS = [
    ".".join(p.relative_to(SOURCE).with_suffix("").parts) for p in sorted((SOURCE / "aimass").rglob("errors.py"))
]
NOTE = "<!-- written by tools/generate.py; do not edit -->"


def files(platform: Platform) -> dict[str, str]:
    """Return path to text of each page."""
    return {
        f"{FOLDER}/rest.md": _rest(platform),
        f"{FOLDER}/cli.md": _cli(platform),
        f"{FOLDER}/errors.md": _errors(),
        f"{FOLDER}/console.md": _console(platform),
        f"{FOLDER}/events.md": _events(platform),
        f"{FOLDER}/permissions.md": _permissions(platform),
        f"{FOLDER}/rooms.md": _rooms(platform),
        "README.md": _readme(platform),
    }


def _readme(platform: Platform) -> str:
    """Put the table of rooms into the README, between its two marks."""
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    before, _, rest = text.partition("<!-- rooms -->")
    after = rest.partition("<!-- /rooms -->")[2]
    rows = [[f"`{c.name}`", c.title] for c in platform.capabilities]
    return f"{before}<!-- rooms -->\n{_table(['room', 'what it is'], rows)}<!-- /rooms -->{after}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _page(title: str, intro: str, body: str) -> str:
    return f"# {title}\n\n{NOTE}\n\n{intro}\n\n{body}"


def _rest(platform: Platform) -> str:
    rooms: dict[str, list[list[str]]] = {}
    for case in platform.cases:
        rooms.setdefault(case.name.rpartition(".")[0], []).append(
            [f"`{case.method}`", f"`/api/v1{case.path}`", case.summary, f"`{case.permission}`", f"`{case.name}`"]
        )
    body = "\n".join(
        f"## {room}\n\n{_table(['method', 'path', 'what it does', 'permission', 'operation'], rows)}"
        for room, rows in rooms.items()
    )
    intro = "Every operation; the full schema is served at `/openapi.json`. Lists are paged by `limit` and `cursor`; changes take `If-Match`; errors are RFC 9457 problems."
    return _page("REST reference", intro, body)


def _cli(platform: Platform) -> str:
    parts = []
    for case in sorted((c for c in platform.cases if c.cli), key=lambda c: c.cli):
        operation = operation_of(case)
        options = "".join(
            f"- `--{p.name.replace('_', '-')}`{' (required)' if p.required and p.name != 'workspace' else ''} {p.help}\n"
            for p in operation.params
        )
        parts.append(f"## aimass {case.cli}\n\n{case.summary}\n\n{options}")
    return _page(
        "Command reference",
        "Commands speak HTTP through the SDK; each takes `--json`, `--url`, `--key` and `--workspace`.",
        "\n".join(parts),
    )


def _errors() -> str:
    rows = [[f"`{k.code}`", str(k.status), (k.__doc__ or "").strip().splitlines()[0]] for k in _every_error()]
    return _page(
        "Error codes",
        "Every error has a stable code, a sentence, the offending value and the way out. The console tells it in the language "
        "of the visitor, with the English sentence behind it; REST and the command line speak English.",
        _table(["code", "status", "meaning"], rows),
    )


def _every_error() -> list[type[AimassError]]:
    """Return the errors of the kernel, of every room and of the data plane, by status and code; the first with a code tells it."""
    for module in _ERRORS:
        import_module(module)
    found = {kind.code: kind for kind in reversed(_below(AimassError)) if kind.__module__.startswith("aimass.")}
    return sorted(found.values(), key=lambda kind: (kind.status, kind.code))


def _below(kind: type[AimassError]) -> list[type[AimassError]]:
    return [one for child in kind.__subclasses__() for one in (child, *_below(child))]


def _console(platform: Platform) -> str:
    pages = [page for page in console_pages(platform.capabilities) if page.question]
    rows = [[f"`{page.path}`", page.question[0].upper() + page.question[1:], page.room] for page in pages]
    return _page(
        "Pages of the console",
        "Each page answers one question on its first screen.",
        _table(["address", "question", "room"], sorted(rows)),
    )


def _events(platform: Platform) -> str:
    rows = [
        [f"`{name}`", capability.title] for capability in platform.capabilities for name in sorted(capability.emits)
    ]
    return _page(
        "Events",
        "Facts in the event log, CloudEvents in shape; they carry ids, counts and hashes only.",
        _table(["type", "room"], rows),
    )


def _permissions(platform: Platform) -> str:
    rows = sorted({(case.permission, case.name) for case in platform.cases})
    return _page(
        "Permissions",
        "What each operation needs.",
        _table(["permission", "operation"], [[f"`{p}`", f"`{n}`"] for p, n in rows]),
    )


def _rooms(platform: Platform) -> str:
    rows = [[f"`{c.name}`", c.title, ", ".join(f"`{r}`" for r in c.requires)] for c in platform.capabilities]
    return _page(
        "Rooms",
        "The rooms of this installation, from their capability records.",
        _table(["room", "what it is", "requires"], rows),
    )


def existing(root: Path) -> list[Path]:
    """Return the reference pages on disk."""
    return sorted((root / FOLDER).glob("*.md"))
