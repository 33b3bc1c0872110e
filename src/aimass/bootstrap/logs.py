"""Logs as JSON lines on standard error, without values that may be secret."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

_SECRET = ("password", "token", "secret", "authorization", "cookie", "totp")


def hide_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every field whose name sounds secret.

    Examples
    --------
    >>> hide_secrets(None, "info", {"event": "x", "api_token": "aim_1"})["api_token"]
    '***'
    """
    del logger, method
    for name in event:
        if any(word in name.lower() for word in _SECRET):
            event[name] = "***"
    return event


def set_up_logs(level: int = logging.INFO) -> None:
    """Write structured logs, and warnings of libraries, as JSON lines."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            hide_secrets,
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),  # they hold secrets
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
