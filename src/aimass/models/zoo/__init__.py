"""Ready models: small, trained, with a card. Each is a folder with ``about.json`` and ``package``, beside this file.

A package of the entry-point group ``aimass.zoo`` is a folder of such folders; a stranger's wheel uses the same door.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from aimass.kernel.errors import Failed, NotFound
from aimass.kernel.names import check_slug
from aimass.models.package import read_package

GROUP = "aimass.zoo"
ABOUT = "about.json"
PACKAGE = "package"
Family = Literal[
    "tabular",
    "image-classification",
    "object-detection",
    "speech",
    "text-classification",
    "named-entities",
    "summary",
    "clustering",
    "language-model",
    "forecasting",
    "anomaly",
    "ranking",
    "bandit",
]
FAMILIES: Mapping[str, str] = {
    "tabular": "Tables",
    "image-classification": "Image classification",
    "object-detection": "Object detection",
    "speech": "Speech",
    "text-classification": "Text classification and sentiment",
    "named-entities": "Named entities",
    "summary": "Summaries",
    "clustering": "Clusters",
    "language-model": "Language model",
    "forecasting": "Forecasts",
    "anomaly": "Anomalies",
    "ranking": "Ranking",
    "bandit": "Bandits and policies",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the rows come from that a ready model learned from."""

    title: str
    source: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyModel:
    """A trained model that comes with the platform, or with a package beside it.

    Attributes
    ----------
    family
        What kind of question it answers.
    recipe, recipe_version, params, seed, rows, target
        How it was trained, on how many rows of each part.
    metrics
        What it reached on rows that it never saw, and while it was trained.
    data
        The rows that it learned from.
    licence
        Of the model itself.
    card
        Sections of its card in Markdown, by name.
    digest, size, runtime
        Of its package.
    """

    name: str
    title: str
    summary: str
    family: Family
    task: str
    licence: str
    recipe: str
    recipe_version: str
    data: Origin
    digest: str
    metrics: Mapping[str, float]
    card: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    rows: Mapping[str, int] = field(default_factory=dict[str, int])
    evaluation: Mapping[str, Any] = field(default_factory=dict[str, Any])
    target: str | None = None
    seed: int | None = None
    size: int = 0
    runtime: str = "onnx"


@cache
def ready_models() -> Mapping[str, ReadyModel]:
    """Return every ready model by name.

    Examples
    --------
    >>> "digits" in ready_models()
    True
    """
    return {name: _read(folder) for name, folder in sorted(_folders().items())}


def find_ready(name: str) -> ReadyModel:
    """Return a ready model by name, or say which there are."""
    if name not in ready_models():
        raise NotFound(f"there is no ready model {name!r}", field="ready", value=name, allowed=sorted(ready_models()))
    return ready_models()[name]


def package_folder(name: str) -> Path:
    """Return the folder in which the package of a ready model lies."""
    find_ready(name)
    return _folders()[name] / PACKAGE


@cache
def _folders() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place in _places():
        for about in sorted(place.glob(f"*/{ABOUT}")):
            known = found.setdefault(about.parent.name, about.parent)
            if known != about.parent:
                raise Failed(
                    f"two installed packages bring a ready model {about.parent.name!r}", hint="remove one of them"
                )
    return found


def _places() -> Iterator[Path]:
    """Yield the folders of the installed packages; imports none of them but this one."""
    for point in entry_points(group=GROUP):
        spec = find_spec(point.value)
        for place in (spec and spec.submodule_search_locations) or ():
            yield Path(place)


def _read(folder: Path) -> ReadyModel:
    try:
        about = TypeAdapter(dict[str, Any]).validate_json((folder / ABOUT).read_bytes())
        package = read_package(folder / PACKAGE)
        check_slug(folder.name, field="ready")
        told = {"size": package.size, "runtime": package.manifest.runtime, "name": folder.name}
        return TypeAdapter(ReadyModel).validate_python({**about, **told})
    except ValidationError as reason:
        fault = reason.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise Failed(f"{ABOUT} of ready model {folder.name!r}: {where}: {fault['msg']}", field=where) from reason
