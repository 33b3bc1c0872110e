"""Topic filters with named levels: ``site/{site}/device/{device}/temp``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aimass.kernel.errors import Invalid

NAMED = re.compile(r"^\{([A-Za-z_][A-Za-z0-9_]*)\}$")


@dataclass(frozen=True, slots=True)
class Topics:
    """A filter as the broker wants it, and which levels of a topic are columns.

    Examples
    --------
    >>> topics = Topics.of("site/{site}/device/{device}/+")
    >>> topics.filter, topics.parts("site/berlin/device/d7/temp")
    ('site/+/device/+/+', {'site': 'berlin', 'device': 'd7'})
    """

    filter: str
    names: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, text: str) -> Topics:
        """Read a filter; a level in braces matches anything and becomes a column."""
        levels, names = text.split("/"), list[tuple[int, str]]()
        for at, level in enumerate(levels):
            named = NAMED.match(level)
            if named:
                names.append((at, named[1]))
                levels[at] = "+"
            elif _is_wrong(level, is_last=at == len(levels) - 1):
                raise Invalid(
                    f"level {level!r} of topic filter {text!r} is not allowed",
                    field="stream",
                    value=text,
                    allowed="texts, +, {name}, and # as the last level",
                )
        if not text or len({name for _, name in names}) < len(names):
            raise Invalid(f"topic filter {text!r} is empty or names a level twice", field="stream", value=text)
        return cls("/".join(levels), tuple(names))

    def parts(self, topic: str) -> dict[str, str]:
        """Return the named levels of a topic."""
        levels = topic.split("/")
        return {name: levels[at] for at, name in self.names}


def _is_wrong(level: str, *, is_last: bool) -> bool:
    if level == "#":
        return not is_last
    return level != "+" and bool(set(level) & set("+#{}\0"))
