"""A connection, open: parameters and secrets come together here, and no error carries a secret out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from aimass.collector.connectors import find_connector, load_connector
from aimass.collector.connectors.port import Connector
from aimass.collector.connectors.reach import Reach, check_reach, guarded, limit_to
from aimass.kernel.errors import AimassError, Unavailable

HIDDEN = "***"
_SHORTEST = 3  # a shorter secret hides in any sentence, and would tear it


@contextmanager
def opened(name: str, parameters: Mapping[str, Any], secrets: Mapping[str, Any], reach: Reach) -> Iterator[Connector]:
    """Open a connection within what the operator lets connectors reach, and close it at the end.

    An error of the connector or of its libraries comes out without the secrets: as itself where it is one of ours, else
    as ``Unavailable``.
    """
    words = [str(value) for value in secrets.values() if value is not None and len(str(value)) >= _SHORTEST]
    try:
        manifest = find_connector(name)
        checked = manifest.check({**parameters, **secrets})
        limit_to(reach)
        check_reach(manifest.parameters, checked)
        with guarded(reach), closing(load_connector(name)(checked)) as connector:
            yield connector
    except AimassError as reason:
        raise _clean(reason, words) from None
    except (OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError) as reason:
        if not any(word in f"{reason!r} {reason}" for word in words):
            raise
        raise Unavailable(f"{type(reason).__name__}: {without(str(reason), words)}") from None


def without(text: str, words: list[str]) -> str:
    """Take secrets out of a text.

    Examples
    --------
    >>> without("login s3cret failed", ["s3cret"])
    'login *** failed'
    """
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, HIDDEN)
    return text


def _clean(reason: AimassError, words: list[str]) -> AimassError:
    told = f"{reason.message} {reason.hint} {reason.value}"
    if not any(word in told for word in words):
        reason.__cause__ = reason.__context__ = None
        return reason
    value = without(reason.value, words) if isinstance(reason.value, str) else None
    hint = without(reason.hint, words)
    return type(reason)(
        without(reason.message, words), field=reason.field, value=value, allowed=reason.allowed, hint=hint
    )
