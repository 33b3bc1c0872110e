"""What the reverse proxy refuses, and what it says of services that do not answer."""

from __future__ import annotations

from aimass.kernel.errors import AimassError, Forbidden, NotFound, Unavailable


class UnknownRoute(NotFound):
    """No service stands behind this address."""

    code = "unknown_route"


class NoReach(Forbidden):
    """The caller may not use this route."""

    code = "no_route_use"


class NoCertificate(Forbidden):
    """The route asks for a certificate that the caller did not show."""

    code = "no_certificate"


class RoutePaused(Unavailable):
    """The route is paused."""

    code = "route_paused"

    def __init__(self, message: str = "", *, retry_after_s: int) -> None:
        super().__init__(message, hint="wait and try again")
        self.retry_after_s = retry_after_s


class NoInstance(Unavailable):
    """The service has no instance that can be asked now."""

    code = "no_instance"


class ServiceGone(Unavailable):
    """The service behind the route cannot be reached, or ended in the middle."""

    code = "service_gone"
    status = 502


class ServiceSlow(AimassError):
    """The service behind the route did not answer in time."""

    code = "service_timeout"
    status = 504


class ReplyTooLarge(Unavailable):
    """The answer of the service is larger than the route lets through."""

    code = "reply_too_large"
    status = 502


class LoopFound(AimassError):
    """The request came back to the gateway that sent it: the route leads in a circle."""

    code = "loop_detected"
    status = 508
