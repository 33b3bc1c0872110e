"""How a program does what a page does: the REST call, the command and the SDK line of a use case, ready to copy."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from aimass.kernel.capability import Capability, load
from aimass.kernel.errors import Failed
from aimass.kernel.usecase import PUBLIC, UseCase, use_cases

_IN_PATH = re.compile(r"\{(\w+)\}")
_IF_MATCH = "expected_version"
_SUBJECTS = ("name", "sql", "query")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One action in the three languages of programs.

    Attributes
    ----------
    operation
        Operation id, as the REST reference and the SDK name it.
    texts
        ``(label, program)``; an action without a command has no line for the terminal.
    """

    operation: str
    method: str
    path: str
    texts: list[tuple[str, str]]


class Ways:
    """The use cases of all rooms, by operation id.

    Parameters
    ----------
    capabilities
        All rooms; their ``service`` faces carry the use cases.
    """

    def __init__(self, capabilities: Iterable[Capability]) -> None:
        self._capabilities = tuple(capabilities)

    @cached_property
    def cases(self) -> dict[str, UseCase]:
        """Return every use case."""
        services = [load(c.service) for c in self._capabilities if c.service]
        return {case.name: case for service in services for case in use_cases(service)}

    def way(self, operation: str, **values: Any) -> Way:
        """Return how programs do an action; an operation that nobody provides is an error."""
        if operation not in self.cases:
            raise Failed(f"there is no operation {operation!r}", value=operation, hint="see /openapi.json")
        return way(self.cases[operation], values)


def way(case: UseCase, values: Mapping[str, Any]) -> Way:
    """Write an action for programs, with the values that the page knows and ``<name>`` for needed ones it does not.

    Raises
    ------
    Failed
        A value names no field of the command.

    Examples
    --------
    >>> from aimass.kernel.usecase import use_case
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Paint:
    ...     workspace: str
    ...     name: str
    ...     coats: int = 1
    >>> class Fence:
    ...     @use_case("POST /workspaces/{workspace}/fences", permission="garden.edit", cli="fence paint")
    ...     def paint(self, who: object, command: Paint) -> None:
    ...         "Paint it."
    >>> Paint.__module__, Fence.paint.__globals__["Paint"] = __name__, Paint
    >>> way(Fence.paint.__use_case__, {"workspace": "demo", "coats": 2}).texts[1][1]
    "aimass fence paint '<name>' --coats 2 --workspace demo"
    """
    known = _known(case, values)
    texts = [("REST", _curl(case, known))]
    if case.cli:
        texts.append(("CLI", _command(case, known)))
    texts.append(("SDK", _line(case, known)))
    return Way(operation=case.name, method=case.method, path=f"/api/v1{case.path}", texts=texts)


def _known(case: UseCase, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to write, in the order of the command: those given, and the needed ones."""
    fields = dataclasses.fields(case.command) if case.command else ()
    strange = set(values) - {f.name for f in fields}
    if strange:
        raise Failed(f"{case.name!r} takes no {min(strange)!r}", allowed=[f.name for f in fields])
    needed = {f.name for f in fields if f.default is MISSING and f.default_factory is MISSING}
    written = [f.name for f in fields if f.name in needed or values.get(f.name) is not None]
    return {name: values[name] if values.get(name) is not None else f"<{name}>" for name in written}


def _split(case: UseCase, known: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the path with its values, and the fields that are not in it."""
    in_path = _IN_PATH.findall(case.path)
    path = case.path
    for name in in_path:
        path = path.replace(f"{{{name}}}", quote(str(known.get(name, f"<{name}>")), safe="<>*"))
    return f"/api/v1{path}", {k: v for k, v in known.items() if k not in in_path}


def _curl(case: UseCase, known: Mapping[str, Any]) -> str:
    path, rest = _split(case, known)
    version = rest.pop(_IF_MATCH, None)
    in_query = case.method in ("GET", "DELETE")
    address = path + (f"?{urlencode(rest, doseq=True, safe='<>*:')}" if rest and in_query else "")
    lines = [f'curl {"" if case.method == "GET" else f"-X {case.method} "}"$AIMASS_URL{address}"']
    if case.permission != PUBLIC:
        lines.append('-H "Authorization: Bearer $AIMASS_KEY"')
    if version is not None:
        lines.append(f"-H 'If-Match: \"{version}\"'")
    if rest and not in_query:
        body = json.dumps(rest, ensure_ascii=False, default=str)
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body)}"]
    return " \\\n  ".join(lines)


def _command(case: UseCase, known: Mapping[str, Any]) -> str:
    in_path = [name for name in _IN_PATH.findall(case.path) if name != "workspace"]
    subject = in_path[-1] if in_path else next((name for name in _SUBJECTS if name in known), None)
    words = ["aimass", *case.cli.split()]
    if subject is not None:
        words.append(shlex.quote(str(known.get(subject, f"<{subject}>"))))
    for name, value in known.items():
        if name not in (subject, "workspace", _IF_MATCH):
            words += _option(name, value)
    if "workspace" in known:
        words += ["--workspace", shlex.quote(str(known["workspace"]))]
    return " ".join(words)


def _option(name: str, value: Any) -> list[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    if isinstance(value, (list, tuple)):
        return [word for one in value for word in (f"--{option}", shlex.quote(str(one)))]
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)
    return [f"--{option}", shlex.quote(text)]


def _line(case: UseCase, known: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{name}={_python(value)}" for name, value in known.items())
    return f"client.{case.name}({arguments})"


def _python(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
