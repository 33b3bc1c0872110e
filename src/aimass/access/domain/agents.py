"""What signed in, in words that a person recognises."""

from __future__ import annotations

_PROGRAMS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("MicroMessenger/", "WeChat"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("aimass", "aimass"),
    ("curl/", "curl"),
    ("python", "Python"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def agent_words(agent: str) -> str:
    """Return program and system out of what a browser says of itself.

    Examples
    --------
    >>> agent_words("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36")
    'Chrome, Linux'
    >>> agent_words("aimass-cli/0.1"), agent_words("something-of-ours/2"), agent_words("")
    ('aimass', 'something-of-ours/2', '')
    """
    found = [name for signs in (_PROGRAMS, _SYSTEMS) for name in _first(agent, signs)]
    return ", ".join(found) or agent[:60]


def _first(agent: str, signs: tuple[tuple[str, str], ...]) -> list[str]:
    return [name for sign, name in signs if sign in agent][:1]
