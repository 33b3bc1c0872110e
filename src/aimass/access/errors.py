"""Errors of the room access."""

from __future__ import annotations

from typing import Any

from aimass.kernel.errors import Conflict, Forbidden, Invalid, TooMany, Unauthenticated, Unavailable


class WrongCredentials(Unauthenticated):
    """Name, password or code is wrong."""

    code = "access_wrong_credentials"


class SecondFactorNeeded(Unauthenticated):
    """The account also wants the code of its authenticator."""

    code = "access_second_factor"


class LockedOut(TooMany):
    """Too many wrong attempts: wait and try again."""

    code = "access_locked_out"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too many wrong attempts", hint=f"wait {retry_after_s} seconds and try again")
        self.retry_after_s = retry_after_s

    def problem(self) -> dict[str, Any]:
        """Return the problem document, with the seconds to wait."""
        return {**super().problem(), "retry_after_s": self.retry_after_s}


class LinkSpent(Unauthenticated):
    """The link was used already, has expired, or never existed."""

    code = "access_link_spent"


class LastAdministrator(Conflict):
    """The last administrator cannot go: name another one first."""

    code = "access_last_administrator"


class OwnApproval(Forbidden):
    """Nobody approves his own request."""

    code = "access_own_approval"


class MoreThanYouHave(Forbidden):
    """Nobody gives away what he does not have."""

    code = "access_more_than_you_have"


class AuditBroken(Conflict):
    """The audit log was changed after it was written."""

    code = "access_audit_broken"


class TokenRequestIncomplete(Invalid):
    """The request for a token lacks a field."""

    code = "access_token_request"
    oauth = "invalid_request"


class TokenGrantUnsupported(Invalid):
    """Tokens are not given out in this way."""

    code = "access_token_grant"
    oauth = "unsupported_grant_type"


class TokenScopeUnknown(Invalid):
    """The scope names what the client does not have."""

    code = "access_token_scope"
    oauth = "invalid_scope"


class TokenClientUnknown(Unauthenticated):
    """The client is not known, or did not prove itself."""

    code = "access_token_client"
    oauth = "invalid_client"


class TokenGrantInvalid(Invalid):
    """The code or token that is to be exchanged does not count, or counts no more."""

    code = "access_token_grant_invalid"
    oauth = "invalid_grant"


class DevicePending(Invalid):
    """Nobody has answered the device's question yet."""

    code = "access_device_pending"
    oauth = "authorization_pending"


class DeviceHasty(Invalid):
    """The device asks more often than it was told to."""

    code = "access_device_hasty"
    oauth = "slow_down"


class DeviceDenied(Invalid):
    """The person refused the device."""

    code = "access_device_denied"
    oauth = "access_denied"


class DeviceLate(Invalid):
    """The device's code has expired."""

    code = "access_device_late"
    oauth = "expired_token"


class ProviderSilent(Unavailable):
    """The identity provider does not answer."""

    code = "access_provider_silent"


class SignInSpent(Unauthenticated):
    """The sign-in was finished already, took too long, or began in another browser."""

    code = "access_sign_in_spent"


class NotVouchedFor(Forbidden):
    """The provider knows the person, but this platform does not."""

    code = "access_not_vouched_for"
