"""The template environments: one per language, with the components of the toolkit at hand as ``ui``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined

from aimass.kernel.clock import Clock
from aimass.web.bundle import Bundle, attributes
from aimass.web.filters import PLAIN, time_filters
from aimass.web.i18n import LANGUAGES, TOOLKIT, stored, translations
from aimass.web.marks import marks_of
from aimass.web.plots import bar_shapes, spark_points
from aimass.web.words import kind, word


class Environments(dict[str, Environment]):
    """The environment of each language, made when it is first asked for.

    Parameters
    ----------
    rooms
        Name of a room, which prefixes its templates (``lake/datasets.html``), to the folder of its package.
    bundle
        The built assets.
    clock
        Tells the time against which ages are written.
    more
        Further functions for templates.
    """

    def __init__(
        self, rooms: Mapping[str, Path], bundle: Bundle, clock: Clock, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self._make = partial(_environment, rooms=rooms, bundle=bundle, clock=clock, more=more or {})

    def __missing__(self, language: str) -> Environment:
        """Make the environment of a language."""
        self[language] = self._make(language)
        return self[language]


def _environment(
    language: str, rooms: Mapping[str, Path], bundle: Bundle, clock: Clock, more: Mapping[str, Any]
) -> Environment:
    own = {name: FileSystemLoader(folder / "templates") for name, folder in rooms.items()}
    env = Environment(
        loader=ChoiceLoader([FileSystemLoader(TOOLKIT / "templates"), PrefixLoader(own)]),
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    catalogue = translations(language, rooms.values())
    env.install_gettext_translations(catalogue, newstyle=True)  # pyright: ignore[reportAttributeAccessIssue] of the extension

    def say(text: str, **values: Any) -> str:
        return catalogue.gettext(text) % values

    tell = stored(language, rooms.values())
    env.filters.update({**PLAIN, **time_filters(clock, say), "told": tell, "marks": marks_of})
    env.globals.update(
        say=say,
        tell=tell,
        told_error=tell.error,
        stage_words=tell.short,
        lang=language,
        languages=LANGUAGES,
        icon=bundle.icon,
        asset=bundle.url,
        attrs=attributes,
        word=word,
        kind_of=kind,
        spark_points=spark_points,
        bar_shapes=bar_shapes,
        **more,
    )
    env.globals["ui"] = _components(env)
    return env


def _components(env: Environment) -> SimpleNamespace:
    """Collect every macro of ``macros/*.html`` under its own name."""
    ui = SimpleNamespace()
    env.globals["ui"] = ui
    for name in _names(TOOLKIT / "templates" / "macros"):
        module = env.get_template(f"macros/{name}").module
        macros: dict[str, Any] = {key: value for key, value in vars(module).items() if not key.startswith("_")}
        vars(ui).update(macros)
    return ui


def _names(folder: Path) -> Iterable[str]:
    return sorted(path.name for path in folder.glob("*.html"))
