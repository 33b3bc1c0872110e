"""Connectors: how data is read from where it lives. Each is a plug-in of the entry-point group ``aimass.connectors``.

A connector is a package with a light ``manifest`` (``CONNECTOR``: name, parameters, modes; readable in control) and a ``run``
part (``RUN``, see :class:`aimass.collector.connectors.port.Connector`). A stranger's wheel uses the same door, and its test
inherits :class:`aimass.collector.connectors.contract.ConnectorContract`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from aimass.kernel.errors import Failed, Invalid, MissingExtra

GROUP = "aimass.connectors"
Family = Literal["database", "files", "logs", "api", "stream", "push"]
Mode = Literal["full", "incremental", "changes", "stream"]


class NoParameters(BaseModel):
    """Nothing has to be said."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorManifest:
    """The light side of a connector: readable in control, imports nothing heavy.

    Attributes
    ----------
    parameters
        A pydantic model of what a connection needs; secrets are fields of the type ``SecretStr``. Defaults, ranges and
        descriptions make form and command-line help.
    stream
        A pydantic model of what one stream (table, topic, path) may be told besides; a source keeps it.
    modes
        Of ``full`` (everything, each time), ``incremental`` (what is above a cursor), ``changes`` (inserts, updates and deletes
        in their order), ``stream`` (messages without an end, acknowledged after the commit).
    extra
        The extra of AI Mass that brings the libraries of the run part.
    """

    name: str
    version: str
    title: str
    summary: str
    family: Family
    parameters: type[BaseModel]
    modes: frozenset[Mode]
    stream: type[BaseModel] = NoParameters
    extra: str | None = None

    @property
    def secrets(self) -> frozenset[str]:
        """Return the names of the parameters that are kept sealed and never shown."""
        return frozenset(name for name, one in self.parameters.model_fields.items() if _is_secret(one.annotation))

    def check(self, values: Mapping[str, Any]) -> BaseModel:
        """Return the parameters of a connection, or name the first one that is wrong; the value of a secret is never named."""
        return self._validated(self.parameters, values, "parameters")

    def check_stream(self, values: Mapping[str, Any]) -> BaseModel:
        """Return the parameters of a stream, or name the first one that is wrong."""
        return self._validated(self.stream, values, "stream_parameters")

    def _validated(self, model: type[BaseModel], values: Mapping[str, Any], field_name: str) -> BaseModel:
        try:
            return model.model_validate(dict(values))
        except ValidationError as reason:
            fault = reason.errors(include_url=False, include_context=False)[0]
            name = ".".join(str(part) for part in fault["loc"])
            told = None if name.partition(".")[0] in self.secrets else fault["input"]
            raise Invalid(
                f"parameter {name!r} of connector {self.name!r}: {fault['msg']}",
                field=f"{field_name}.{name}",
                value=told if isinstance(told, str | int | float | bool | None) else None,
                allowed=sorted(model.model_fields),
            ) from None


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in getattr(annotation, "__args__", ())


@cache
def _points() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        if point.name in found and found[point.name].value != point.value:
            raise Failed(f"two installed packages bring a connector {point.name!r}", hint="remove one of them")
        found[point.name] = point
    return dict(sorted(found.items()))


@cache
def connectors() -> dict[str, ConnectorManifest]:
    """Return every installed connector by name; reads manifests only."""
    return {name: import_module(f"{point.value}.manifest").CONNECTOR for name, point in _points().items()}


def find_connector(name: str) -> ConnectorManifest:
    """Return a connector by name, or say which there are."""
    if name not in connectors():
        raise Invalid(f"there is no connector {name!r}", field="connector", value=name, allowed=sorted(connectors()))
    return connectors()[name]


def load_connector(name: str) -> Any:
    """Import the run part of a connector; heavy, for children only.

    Raises
    ------
    MissingExtra
        A library that it needs is not installed; the hint is the command that installs it.
    """
    manifest = find_connector(name)
    try:
        return import_module(f"{_points()[name].value}.run").RUN
    except ImportError as reason:
        if manifest.extra is None or (reason.name or "").partition(".")[0] == "aimass":
            raise
        raise MissingExtra(manifest.extra) from reason
