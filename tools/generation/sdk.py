"""The typed SDK and the catalogue that SDK and CLI read."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from dataclasses import MISSING
from pathlib import Path
from typing import Any, get_type_hints

from aimass.client.operations import Operation, Param
from aimass.kernel.usecase import UseCase
from tools.generation.model import Platform, mentioned, operation_of, spell

FOLDER = "src/aimass/client/generated"
_PACKAGE = "aimass.client.generated"
HEAD = "from __future__ import annotations\n\n"
_ROOT = Path(__file__).resolve().parents[2]
_SAMPLE = f"{FOLDER}/generated.py"
NOTE = "Written by tools/generate.py from the use cases; do not edit."


def files(platform: Platform) -> dict[str, str]:
    """Return path to text of everything generated."""
    rooms = sorted({case.name.rpartition(".")[0] for case in platform.cases})
    out = {
        f"{FOLDER}/__init__.py": f'"""{NOTE}"""\n',
        "src/aimass/client/catalog.py": _catalog(platform),
        f"{FOLDER}/groups.py": _groups(rooms),
    }
    for home in sorted({_home(kind) for kind in platform.types}):
        out[f"{FOLDER}/{home}_types.py"] = _types(platform, home)
    for room in rooms:
        out[f"{FOLDER}/{_file(room)}.py"] = _methods(platform, room)
    return {name: _format(text) for name, text in out.items()}


def _file(room: str) -> str:
    return room.replace(".", "_")


def _home(kind: type) -> str:
    parts = kind.__module__.split(".")
    return parts[2] if parts[1] in ("apps", "protocols", "infra") else parts[1]


def _format(text: str) -> str:
    for command in (["check", "--select", "I", "--fix"], ["format"]):
        full = [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", _SAMPLE, "-"]
        text = subprocess.run(full, input=text, capture_output=True, text=True, check=True, cwd=_ROOT).stdout
    return text


def _catalog(platform: Platform) -> str:
    lines = [
        f'"""Every operation of the platform. {NOTE}"""',
        "",
        HEAD,
        "from aimass.client.operations import Operation, Param",
        "",
        "OPERATIONS: dict[str, Operation] = {",
    ]
    for case in platform.cases:
        operation = operation_of(case)
        lines.append(f"    {case.name!r}: {_literal(operation)},")
    return "\n".join([*lines, "}", ""])


def _literal(thing: Operation | Param) -> str:
    parts = []
    for f in dataclasses.fields(thing):
        value = getattr(thing, f.name)
        if f.default is not MISSING and value == f.default:
            continue
        text = "(" + "".join(_literal(p) + ", " for p in value) + ")" if f.name == "params" else repr(value)
        parts.append(f"{f.name}={text}")
    return f"{type(thing).__name__}({', '.join(parts)})"


def _imports(kinds: list[type], but: str = "") -> str:
    lines = []
    for home in sorted({_home(k) for k in kinds} - {but}):
        wanted = ", ".join(sorted({k.__name__ for k in kinds if _home(k) == home}))
        lines.append(f"from aimass.client.generated.{home}_types import {wanted}")
    return "\n".join(lines)


def _types(platform: Platform, home: str) -> str:
    body, used = [], list[type]()
    for kind in [k for k in platform.types if _home(k) == home]:
        summary = (kind.__doc__ or kind.__name__).strip().splitlines()[0]
        body += [
            "",
            "",
            "@dataclass(frozen=True, slots=True, kw_only=True)",
            f"class {kind.__name__}:",
            f'    """{summary}"""',
            "",
        ]
        hints = get_type_hints(kind, include_extras=True)
        used += [one for hint in hints.values() for one in mentioned(hint)]
        body += [f"    {f.name}: {spell(hints[f.name])}{_default(f)}" for f in dataclasses.fields(kind)] or ["    pass"]
    text = "\n".join(body)
    return _module(f"Objects of {home}.", text, _imports(used, but=home))


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not MISSING:
        made = field.default_factory()
        if dataclasses.is_dataclass(made):  # its class may stand further down
            return f" = field(default_factory=lambda: {type(made).__name__}())  # noqa: PLW0108"
        return (
            f" = field(default_factory={type(made).__name__})"
            if isinstance(made, list | dict)
            else " = field(default_factory=list)"
        )
    if field.default is MISSING:
        return ""
    if isinstance(field.default, tuple):
        return " = field(default_factory=list)"
    value = field.default.value if hasattr(field.default, "value") else field.default
    return f" = {value!r}" if isinstance(value, str | int | float | bool | None) else " = None"


def _module(title: str, text: str, imports: str) -> str:
    used = [
        ("from dataclasses import " + ", ".join(n for n in ("dataclass", "field") if n + "(" in text))
        if "dataclass(" in text
        else "",
        "from datetime import datetime" if "datetime" in text else "",
        "from typing import " + ", ".join(n for n in ("Any", "Literal") if n in text)
        if "Any" in text or "Literal" in text
        else "",
        "",
        imports,
        "from aimass.kernel.pages import Page" if "Page[" in text else "",
    ]
    return f'"""{title} {NOTE}"""\n\n{HEAD}' + "\n".join(line for line in used if line) + "\n" + text + "\n"


def _methods(platform: Platform, room: str) -> str:
    cases = [c for c in platform.cases if c.name.rpartition(".")[0] == room]
    name = _class(room)
    text = "\n".join(
        [
            "",
            "",
            f"class {name}Calls(Calls):",
            f'    """Operations of {room}."""',
            *(_method(c, "def", "return self._call") for c in cases),
            "",
            "",
            f"class Async{name}Calls(AsyncCalls):",
            f'    """Operations of {room}, for asyncio."""',
            *(_method(c, "async def", "return await self._call") for c in cases),
        ]
    )
    used = [one for case in cases for one in _kinds(case)]
    imports = "from aimass.client.calls import AsyncCalls, Calls\n" + _imports(used)
    return _module(f"Methods of {room}.", text, imports)


def _kinds(case: UseCase) -> list[type]:
    hints = list(get_type_hints(case.command).values()) if case.command else []
    return [one for hint in [*hints, case.result] for one in mentioned(hint)]


def _method(case: UseCase, start: str, call: str) -> str:
    operation = operation_of(case)
    arguments, values = [], []
    hints = get_type_hints(case.command, include_extras=True) if case.command else {}
    for param in sorted(operation.params, key=lambda p: not p.required or p.name == "workspace"):
        optional = not param.required or param.name == "workspace"
        kind = spell(hints[param.name])
        arguments.append(
            f"{param.name}: {kind if not optional or kind.endswith('None') else kind + ' | None'}{' = None' if optional else ''}"
        )
        values.append(f"{param.name!r}: {param.name}")
    result = spell(case.result)
    signature = ("self, *, " + ", ".join(arguments)) if arguments else "self"
    text = case.summary.replace('"', "'")
    return (
        f"\n    {start} {case.name.rpartition('.')[2]}({signature}) -> {result}:\n"
        f'        """{text}"""\n        {call}({case.name!r}, {{{", ".join(values)}}}, {result})\n'
    )


def _class(room: str) -> str:
    return "".join(part.title() for part in room.replace(".", "_").split("_"))


def _groups(rooms: list[str]) -> str:
    lines = [f'"""Groups of methods by room. {NOTE}"""', "", HEAD]
    lines += ["from functools import cached_property", "from typing import TYPE_CHECKING", ""]
    lines += ["from aimass.kernel.doors import door", "", "if TYPE_CHECKING:"]
    for room in rooms:
        lines.append(f"    from {_PACKAGE}.{_file(room)} import Async{_class(room)}Calls, {_class(room)}Calls")
    lines += [
        "    from aimass.client.transport import AsyncTransport, Transport",
        "",
        "_calls, _ = door(",
        "    __name__,",
    ]
    names = [(f"{prefix}{_class(room)}Calls", _file(room)) for room in rooms for prefix in ("", "Async")]
    lines += ["    {", *(f'        "{name}": "{_PACKAGE}.{file}",' for name, file in names), "    },", ")"]
    for prefix, base in (("", "Transport"), ("Async", "AsyncTransport")):
        lines += ["", "", f"class {prefix}Groups:", '    """One attribute per room, made when it is first used."""', ""]
        lines += [f"    def __init__(self, transport: {base}, workspace: str | None) -> None:"]
        lines += ["        self._reached = (transport, workspace)"]
        for room in rooms:
            name = f"{prefix}{_class(room)}Calls"
            lines += ["", "    @cached_property", f"    def {_file(room)}(self) -> {name}:"]
            lines += [f'        """Operations of {room}."""', f'        return _calls("{name}")(*self._reached)']
    return "\n".join([*lines, ""])
