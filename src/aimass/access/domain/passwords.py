"""What a password must be."""

from __future__ import annotations

import unicodedata

from aimass.kernel.errors import Invalid

LONGEST = 256
_FEWEST_DISTINCT = 5
_COMMON = frozenset(
    [
        "1234567890",
        "0123456789",
        "0987654321",
        "12345678910",
        "123123123123",
        "1q2w3e4r5t",
        "1q2w3e4r5t6y",
        "1qaz2wsx3edc",
        "q1w2e3r4t5",
        "qwertyuiop",
        "qwerty12345",
        "qwerty123456",
        "qwertyuiop123",
        "asdfghjkl123",
        "zxcvbnm123",
        "password123",
        "password1234",
        "password12345",
        "passw0rd123",
        "p@ssw0rd123",
        "p@ssword123",
        "passwordpassword",
        "administrator",
        "admin12345",
        "admin123456",
        "adminadmin",
        "letmein123",
        "letmein1234",
        "welcome123",
        "welcome1234",
        "iloveyou123",
        "iloveyou12",
        "changeme123",
        "changeme1234",
        "sunshine123",
        "football123",
        "baseball123",
        "princess123",
        "superman123",
        "trustno1trustno1",
        "abcdefghij",
        "abcdefghijk",
        "abcdefghijkl",
        "abc123456789",
        "a1b2c3d4e5",
        "aa12345678",
        "monkey12345",
        "dragon12345",
        "master12345",
        "michael123",
        "computer123",
        "internet123",
        "starwars123",
        "woaini1314",
        "woaini520",
        "5201314520",
        "asdf123456",
        "qazwsxedc123",
        "zaq12wsxcde",
        "google1234",
        "samsung1234",
        "secret12345",
        "correcthorsebatterystaple",
    ]
)


def normal(password: str) -> str:
    """Write a password in one way, whatever the keyboard sent (RFC 8265 asks for NFC)."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, *, name: str, shortest: int) -> str:
    """Return the normalised password, or refuse a weak one; the message never shows it.

    Examples
    --------
    >>> check_password("four small brown bears", name="eve", shortest=10)
    'four small brown bears'
    """
    text = normal(password)
    plain = text.casefold()
    complaint = ""
    if not shortest <= len(text) <= LONGEST:
        complaint = f"the password has {len(text)} characters"
    elif name.casefold() in plain:
        complaint = "the password contains the name"
    elif plain in _COMMON:
        complaint = "this password is known to every guesser"
    elif len(set(plain)) < _FEWEST_DISTINCT:
        complaint = "the password repeats a few letters only"
    if complaint:
        allowed = f"{shortest} to {LONGEST} characters, not the name, not a well-known one"
        raise Invalid(complaint, field="password", allowed=allowed, hint="a sentence of four words is easy to remember")
    return text
