"""The port: who keeps a secret at rest speaks to this."""

from __future__ import annotations

from typing import Protocol


class Secrets(Protocol):
    """Seals small values (passwords, tokens, TOTP seeds) so that they may lie in the database.

    ``about`` names what the value belongs to (``user:01H../totp``). It is not hidden, but bound to the sealed value:
    a sealed value that is moved to another row does not open there.
    """

    def seal(self, plain: bytes, *, about: str) -> bytes:
        """Return the sealed value; sealing the same value twice gives two different results."""
        ...

    def unseal(self, sealed: bytes, *, about: str) -> bytes:
        """Return the value; raise ``Failed`` when it was changed, moved, or its master key is gone."""
        ...

    def key_of(self, sealed: bytes) -> str:
        """Return the id of the master key that this value needs; it stands in the header."""
        ...

    def current_key(self) -> str:
        """Return the id of the master key that seals new values."""
        ...

    def reseal(self, sealed: bytes, *, about: str) -> bytes:
        """Move a value below the current master key; the value itself is not decrypted."""
        ...

    def rotate(self) -> str:
        """Make a new master key current, keep the old ones for reading, and return the new id."""
        ...
