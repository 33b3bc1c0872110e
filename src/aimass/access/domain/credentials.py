"""Random credentials: their text, what is stored of them, and codes of an authenticator (RFC 6238)."""

from __future__ import annotations

import hmac
import secrets
import struct
from base64 import b32encode
from hashlib import sha256
from urllib.parse import quote, urlencode

KEY = "aim_"
SESSION = "ais_"
LINK = "ail_"
DEVICE, REFRESH = "aid_", "air_"
STEP_S = 30
_SHOWN = 10
_DIGITS = 6
_USER_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628, section 6.1: no vowels, so no words; 34 bits
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new_secret(kind: str) -> str:
    """Return a new random credential of 256 bits: its kind and 43 letters that an address can carry.

    Examples
    --------
    >>> text = new_secret(KEY)
    >>> text[:4], len(text)
    ('aim_', 47)
    """
    return kind + secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """Return what is stored instead of a random credential: its SHA-256.

    Examples
    --------
    >>> fingerprint("aim_x")[:8]
    'cbed0a62'
    """
    return sha256(secret.encode()).hexdigest()


def shown(secret: str) -> str:
    """Return the start of a key, by which people tell keys apart.

    Examples
    --------
    >>> shown("aim_0123456789")
    'aim_012345'
    """
    return secret[:_SHOWN]


def new_password() -> str:
    """Return a random password that a person can copy from a screen (about 119 bits)."""
    return "-".join("".join(secrets.choice(_CODE_LETTERS) for _ in range(6)) for _ in range(4))


def new_recovery_codes(count: int = 10) -> list[str]:
    """Return codes that replace the authenticator once each (60 bits, so their plain SHA-256 can be stored)."""
    return ["-".join("".join(secrets.choice(_CODE_LETTERS) for _ in range(4)) for _ in range(3)) for _ in range(count)]


def new_user_code() -> str:
    """Return a code that a person reads on one screen and types on another (RFC 8628).

    Examples
    --------
    >>> len(new_user_code()), new_user_code()[4]
    (9, '-')
    """
    return "-".join("".join(secrets.choice(_USER_LETTERS) for _ in range(4)) for _ in range(2))


def plain_user_code(text: str) -> str:
    """Forgive spaces, small letters and a missing dash in a code that a person typed.

    Examples
    --------
    >>> plain_user_code(" wdjb mjht "), plain_user_code("WDJB-MJHT")
    ('WDJB-MJHT', 'WDJB-MJHT')
    """
    letters = "".join(letter for letter in text.upper() if letter in _USER_LETTERS)
    return f"{letters[:4]}-{letters[4:]}"


def plain_code(text: str) -> str:
    """Forgive spaces and small letters in what a person typed.

    Examples
    --------
    >>> plain_code(" 123 456 "), plain_code("abcd-efgh-jklm")
    ('123456', 'ABCD-EFGH-JKLM')
    """
    return "".join(text.split()).upper()


def totp(secret: bytes, step: int, digits: int = _DIGITS) -> str:
    """Return the code of a time step (RFC 6238 with SHA-1, as every authenticator has it).

    Examples
    --------
    >>> totp(b"12345678901234567890", 59 // STEP_S, digits=8)
    '94287082'
    """
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    at = mac[-1] & 15
    number = struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def totp_step(secret: bytes, code: str, now: float, *, after: int = 0) -> int | None:
    """Return the time step whose code this is: the present one or a neighbour, and never one up to ``after`` again."""
    present = int(now) // STEP_S
    steps = [step for step in (present, present - 1, present + 1) if step > after]
    matches = [step for step in steps if hmac.compare_digest(totp(secret, step).encode(), code.encode())]
    return matches[0] if matches else None


def new_totp_seed() -> bytes:
    """Return a new seed of 160 bits."""
    return secrets.token_bytes(20)


def totp_text(seed: bytes) -> str:
    """Write a seed as people type it into an authenticator."""
    return b32encode(seed).decode()


def totp_uri(seed: bytes, name: str, issuer: str) -> str:
    """Return the address behind the square code that an authenticator scans.

    Examples
    --------
    >>> totp_uri(b"12345", "eve", "AI Mass")
    'otpauth://totp/AI%20Mass:eve?secret=GEZDGNBV&issuer=AI+Mass'
    """
    return f"otpauth://totp/{quote(issuer)}:{quote(name)}?" + urlencode({"secret": totp_text(seed), "issuer": issuer})
