"""The one tree of errors: each has a stable code, a sentence, the offending value and the way out.

::

    AimassError
    ├─ Invalid            400  a value breaks a rule
    ├─ Unauthenticated    401  nobody is signed in
    ├─ Forbidden          403  signed in, but the permission is missing
    ├─ NotFound           404  no such thing, or it belongs to a foreign workspace
    ├─ Conflict           409  the state does not allow it
    ├─ Stale              412  the object changed since it was read
    ├─ TooLarge           413  a body or file is over its limit
    ├─ TooMany            429  a rate limit or lock-out
    ├─ Failed             500  our own fault
    ├─ Unavailable        503  a part is down or full
    └─ MissingExtra       501  an optional dependency is not installed
"""

from __future__ import annotations

from typing import Any, ClassVar


class AimassError(Exception):
    """Base of every error that AI Mass raises on purpose.

    Parameters
    ----------
    message
        One sentence that shows the value with ``!r``.
    hint
        The way out: what the caller can do now.
    field
        Name of the input that is wrong, if one is.
    value
        The offending value; never a secret.
    allowed
        What would have been accepted.

    Examples
    --------
    >>> raise_it = Invalid("slug 'A b' is not allowed", field="slug", value="A b", hint="use 'a-b'")
    >>> raise_it.problem()["code"], raise_it.problem()["status"]
    ('invalid', 400)
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        field: str | None = None,
        value: Any = None,
        allowed: Any = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = hint
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(self.message)

    def problem(self) -> dict[str, Any]:
        """Return the error as an RFC 9457 problem document."""
        body: dict[str, Any] = {
            "type": f"urn:aimass:error:{self.code}",
            "title": type(self).__name__,
            "status": self.status,
            "code": self.code,
            "detail": self.message,
        }
        extras = {"hint": self.hint, "field": self.field, "value": self.value, "allowed": self.allowed}
        body.update({k: v for k, v in extras.items() if v not in (None, "")})
        return body


class Invalid(AimassError):
    """A value breaks a rule."""

    code = "invalid"
    status = 400


class Unauthenticated(AimassError):
    """Nobody is signed in: send an API key or a session."""

    code = "unauthenticated"
    status = 401


class Forbidden(AimassError):
    """The permission for this is missing."""

    code = "forbidden"
    status = 403


class NotFound(AimassError):
    """There is no such thing here."""

    code = "not_found"
    status = 404


class Conflict(AimassError):
    """The present state does not allow this."""

    code = "conflict"
    status = 409


class Stale(AimassError):
    """The object changed since it was read: read it again and repeat the change."""

    code = "stale"
    status = 412


class TooLarge(AimassError):
    """The body is over its limit."""

    code = "too_large"
    status = 413


class TooMany(AimassError):
    """Too many requests: wait and try again."""

    code = "too_many"
    status = 429


class Failed(AimassError):
    """Something inside AI Mass failed."""

    code = "failed"
    status = 500


class MissingExtra(AimassError):
    """An optional dependency is not installed."""

    code = "missing_extra"
    status = 501

    def __init__(self, extra: str) -> None:
        super().__init__(
            f"this needs the extra {extra!r}, which is not installed",
            hint=f"pip install 'aimass[{extra}]'",
            value=extra,
        )


class Unavailable(AimassError):
    """A part of the platform is down or full: try again later."""

    code = "unavailable"
    status = 503
