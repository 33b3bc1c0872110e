"""How a child is told a secret: through a pipe that it inherits, never by environment, command line or file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aimass.kernel.errors import TooLarge

LIMIT_BYTES = 32 * 1024  # a pipe takes so much before anybody reads


@contextmanager
def handed_over(secrets: Mapping[str, Any]) -> Iterator[tuple[int, ...]]:
    """Yield the descriptor that a child reads the secrets from, none when there is nothing to tell.

    The bytes lie in the pipe alone: they go with its last reader, read or not.
    """
    if not secrets:
        yield ()
        return
    text = json.dumps(dict(secrets)).encode()
    if len(text) > LIMIT_BYTES:
        raise TooLarge(f"the secrets of a job have {len(text)} bytes", field="secrets", allowed=LIMIT_BYTES)
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, text)
        os.close(write_end)
        write_end = -1
        yield (read_end,)
    finally:
        os.close(read_end)
        if write_end >= 0:
            os.close(write_end)


def confided(descriptor: int) -> dict[str, Any]:
    """Read what was handed over, once, and close the descriptor."""
    with os.fdopen(descriptor, "rb") as pipe:
        text = pipe.read()
    return json.loads(text) if text else {}
