"""Counters of control, in the text format of Prometheus; each is declared by the capability that raises it."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

Labels = tuple[tuple[str, str], ...]


class Counters:
    """Counts what happened since the process started.

    Labels have to be few and known in advance: a name or an address that anybody can send is none.

    Examples
    --------
    >>> counters = Counters({"access_tokens": "Tokens that were asked for."})
    >>> counters.add("access_tokens", grant="refresh_token", result="ok")
    >>> print(counters.text(), end="")
    # HELP aimass_access_tokens_total Tokens that were asked for.
    # TYPE aimass_access_tokens_total counter
    aimass_access_tokens_total{grant="refresh_token",result="ok"} 1
    """

    def __init__(self, declared: Mapping[str, str] | None = None) -> None:
        self._help: dict[str, str] = {}
        self._values: dict[str, dict[Labels, int]] = {}
        self._lock = Lock()
        self.declare(declared or {})

    def declare(self, metrics: Mapping[str, str]) -> None:
        """Take up counters by name, with what they count."""
        for name, told in metrics.items():
            self._help[name] = told
            self._values.setdefault(name, {})

    def add(self, name: str, **labels: str) -> None:
        """Raise a counter by one; one that nobody declared is a fault of the program."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            values = self._values[name]
            values[key] = values.get(key, 0) + 1

    def text(self) -> str:
        """Return every counter that was declared, also one that counted nothing yet."""
        with self._lock:
            found = {name: sorted(values.items()) for name, values in sorted(self._values.items())}
        lines: list[str] = []
        for name, values in found.items():
            shown = f"aimass_{name}_total"
            lines += [f"# HELP {shown} {self._help[name]}", f"# TYPE {shown} counter"]
            lines += [f"{shown}{_labels(labels)} {value}" for labels, value in values]
        return "".join(f"{line}\n" for line in lines)


def _labels(labels: Labels) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
