"""The format of a sealed value: a data key per value, wrapped by the master key (AES-256-GCM both times).

::

    "AMS1" | master key id (8 bytes) | nonce 12 | wrapped data key 48 | nonce 12 | value + tag
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aimass.kernel.errors import Failed

MAGIC = b"AMS1"
KEY_BYTES = 32
_ID = 8
_NONCE = 12
_WRAPPED = KEY_BYTES + 16
_BODY_AT = len(MAGIC) + _ID + _NONCE + _WRAPPED
_SHORTEST = _BODY_AT + _NONCE + 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """Master keys by id (16 hexadecimal letters), and which of them seals new values."""

    current: str
    keys: Mapping[str, bytes]


def key_id(key: bytes) -> str:
    """Derive the id of a master key; it tells nothing about the key.

    Examples
    --------
    >>> key_id(bytes(32))
    'd0b3d525b8daf2ae'
    """
    return sha256(b"aimass master key" + key).hexdigest()[: 2 * _ID]


def header_key(sealed: bytes) -> str:
    """Read the master key's id from the header of a sealed value."""
    if not sealed.startswith(MAGIC) or len(sealed) < _SHORTEST:
        raise Failed("this is no sealed value", hint="restore the row from a backup")
    return sealed[len(MAGIC) : len(MAGIC) + _ID].hex()


def seal(ring: KeyRing, plain: bytes, about: str) -> bytes:
    """Seal a value under the current key of the ring."""
    data_key = AESGCM.generate_key(256)
    return _wrap(ring, data_key, about) + _encrypt(data_key, plain, MAGIC + about.encode())


def unseal(ring: KeyRing, sealed: bytes, about: str) -> bytes:
    """Open a sealed value with the key that its header names."""
    data_key = _unwrap(ring, sealed, about)
    return _decrypt(data_key, sealed[_BODY_AT:], MAGIC + about.encode())


def reseal(ring: KeyRing, sealed: bytes, about: str) -> bytes:
    """Wrap the data key under the current master key and leave the value as it is."""
    return _wrap(ring, _unwrap(ring, sealed, about), about) + sealed[_BODY_AT:]


def _wrap(ring: KeyRing, data_key: bytes, about: str) -> bytes:
    header = MAGIC + bytes.fromhex(ring.current)
    return header + _encrypt(ring.keys[ring.current], data_key, header + about.encode())


def _unwrap(ring: KeyRing, sealed: bytes, about: str) -> bytes:
    name = header_key(sealed)
    if name not in ring.keys:
        raise Failed(
            f"the master key {name!r} of this value is gone",
            value=name,
            hint="put the old key back beside the new one: sealed values cannot be opened without it",
        )
    header = sealed[: len(MAGIC) + _ID]
    return _decrypt(ring.keys[name], sealed[len(header) : _BODY_AT], header + about.encode())


def _encrypt(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _decrypt(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
    except InvalidTag as reason:
        raise Failed(
            "a sealed value was changed or belongs elsewhere", hint="restore the row from a backup"
        ) from reason
