"""The trace that work belongs to: one id for a request and everything that it sets in motion (W3C Trace Context)."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_current: ContextVar[str] = ContextVar("trace", default="")


def current_trace() -> str:
    """Return the id of the trace that the present work belongs to; empty for none."""
    return _current.get()


@contextmanager
def tracing(trace: str) -> Generator[None]:
    """Let what is done inside belong to a trace.

    Examples
    --------
    >>> with tracing("4bf92f3577b34da6a3ce929d0e0e4736"):
    ...     current_trace()
    '4bf92f3577b34da6a3ce929d0e0e4736'
    >>> current_trace()
    ''
    """
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def is_trace(text: str) -> bool:
    """Tell whether a text is the id of a trace.

    Examples
    --------
    >>> is_trace("4bf92f3577b34da6a3ce929d0e0e4736"), is_trace("0" * 32), is_trace("churn")
    (True, False, False)
    """
    return _ID.fullmatch(text) is not None


def trace_of(parent: str) -> str:
    """Return the trace id of a ``traceparent``; empty when it is invalid.

    Examples
    --------
    >>> trace_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), trace_of("hello")
    ('4bf92f3577b34da6a3ce929d0e0e4736', '')
    """
    found = _PARENT.fullmatch(parent)
    return "" if found is None else found[1]


def parent_of(trace: str, span: int) -> str:
    """Return the ``traceparent`` by which a trace is handed on from a span.

    Examples
    --------
    >>> parent_of("4bf92f3577b34da6a3ce929d0e0e4736", 1)
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01'
    """
    return f"00-{trace}-{span:016x}-01"
