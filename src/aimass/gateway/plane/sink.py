"""The port behind a connection: who takes the body of a request."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """Takes the body of one request, and hears when the client is gone or slow.

    ``ends_with_client`` says that the work is for nothing when the client closes its side.
    """

    ends_with_client: bool

    def piece(self, data: bytes) -> None:
        """Take a part of the body."""
        ...

    def end(self) -> None:
        """Hear that the body is complete."""
        ...

    def lost(self) -> None:
        """Hear that the client is gone."""
        ...

    def writable(self, *, is_open: bool) -> None:
        """Hear that the client reads slowly, or reads again."""
        ...
