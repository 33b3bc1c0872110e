"""What the data plane refuses, one class per situation; the codes are stable."""

from __future__ import annotations

import math
from typing import Any

from aimass.kernel.errors import (
    AimassError,
    Failed,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)


class BadRequest(Invalid):
    """The request is not valid HTTP."""

    code = "bad_request"


class CannotExplain(Invalid):
    """There is no explanation of it, or not in this way."""

    code = "cannot_explain"


class HeadTooLarge(TooLarge):
    """The request head is over its limit."""

    code = "head_too_large"
    status = 431


class TargetTooLong(TooLarge):
    """The address of the request is over its limit."""

    code = "target_too_long"
    status = 414


class BodyTooLarge(TooLarge):
    """The body is over its limit."""

    code = "body_too_large"


class UnsupportedCoding(Invalid):
    """The body has an encoding that is not known."""

    code = "unsupported_encoding"
    status = 415


class UnsupportedKind(Invalid):
    """The body is of a kind that this dialect does not read."""

    code = "unsupported_content_type"
    status = 415


class TooSlow(AimassError):
    """The request took too long to arrive."""

    code = "request_timeout"
    status = 408


class MethodNotAllowed(Invalid):
    """The method is not allowed here."""

    code = "method_not_allowed"
    status = 405


class UnknownKey(Unauthenticated):
    """The API key is missing, unknown or expired."""

    code = "unknown_key"


class NoUse(Forbidden):
    """The API key may not use this endpoint."""

    code = "no_use"


class NoEdit(Forbidden):
    """The API key may not load or unload this endpoint."""

    code = "no_edit"


class UnknownEndpoint(NotFound):
    """There is no such endpoint in the workspace of this key."""

    code = "unknown_endpoint"


class UnknownPlace(NotFound):
    """The person behind the token may call nothing in this workspace."""

    code = "unknown_place"


class UnnamedPlace(Invalid):
    """The person behind the token may call several workspaces, and the request names none."""

    code = "unnamed_place"


class UnknownVersion(NotFound):
    """The endpoint has no deployment of this model version."""

    code = "unknown_version"


class UnknownPath(NotFound):
    """The Open Inference Protocol has no such address here."""

    code = "unknown_path"


class RateLimited(TooMany):
    """The caller is over a rate.

    Attributes
    ----------
    reason
        Which limit it was, for those who count refusals.
    lines
        Header lines about that limit.
    """

    code = "rate_limited"

    def __init__(
        self, message: str, *, retry_after_s: float, reason: str = "key_rate", lines: bytes = b"", **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.retry_after_s = max(1, math.ceil(retry_after_s))
        self.reason = reason
        self.lines = lines


class QuotaUsed(RateLimited):
    """The requests of the day are used up."""

    code = "quota_exceeded"


class InvalidJson(Invalid):
    """The body is not the JSON document that is expected."""

    code = "invalid_json"


class MissingInput(Invalid):
    """An input of the signature is missing."""

    code = "missing_input"


class UnknownInput(Invalid):
    """An input is not in the signature."""

    code = "unknown_input"


class DoubledInput(Invalid):
    """An input is given twice."""

    code = "doubled_input"


class UnknownDatatype(Invalid):
    """The datatype is not known, or does not fit the input."""

    code = "unknown_datatype"


class WrongShape(Invalid):
    """The shape does not fit the data or the other inputs."""

    code = "wrong_shape"


class WrongType(Invalid):
    """A value has the wrong type."""

    code = "wrong_type"


class NullRefused(Invalid):
    """A value is null, and the signature says it may not be."""

    code = "null_refused"


class UnseenCategory(Invalid):
    """A value is none of the categories that the model knows."""

    code = "unseen_category"


class UnknownOutput(Invalid):
    """A requested output does not exist."""

    code = "unknown_output"


class DoubledOutput(Invalid):
    """An output is asked for twice."""

    code = "doubled_output"


class NotReady(Unavailable):
    """The endpoint has no deployment that is loaded."""

    code = "not_ready"


class Unloaded(NotReady):
    """The models of the endpoint were unloaded by somebody who may do so."""

    code = "unloaded"


class Loading(NotReady):
    """The model is being loaded, and that takes longer than a request may wait."""

    code = "loading"


class ModelTooLarge(Unavailable):
    """The model takes more memory than a gateway worker may give to models."""

    code = "model_too_large"


class LoadFailed(Unavailable):
    """A model could not be loaded at a caller's wish."""

    code = "load_failed"


class WorkerGone(Unavailable):
    """The isolated worker of the model is not there."""

    code = "worker_gone"


class WorkerBusy(Unavailable):
    """The isolated worker of the model has more requests waiting than it can hold."""

    code = "worker_busy"


class WorkerFailed(Failed):
    """The model failed on this request."""

    code = "model_failed"


class WorkerSlow(AimassError):
    """The model did not answer in time."""

    code = "model_timeout"
    status = 504


class ClientGone(AimassError):
    """The client left before the model had said everything; the status is the one that nginx logs for this."""

    code = "client_gone"
    status = 499


class ControlGone(Unavailable):
    """The control part of the platform does not answer: inference goes on, the console and the API wait for it."""

    code = "control_gone"


class TooManyConnections(Unavailable):
    """The gateway has as many connections as it may have."""

    code = "too_many_connections"


class Overloaded(Unavailable):
    """The gateway has more to do than it can do in time."""

    code = "overloaded"


_MAX_SHOWN = 200
_MAX_ALLOWED = 100


def oip_body(error: AimassError) -> dict[str, Any]:
    """Return the error in the shape of the Open Inference Protocol, with our stable code and details.

    Examples
    --------
    >>> oip_body(MissingInput("input 'tenure' is missing", field="tenure"))
    {'error': "input 'tenure' is missing", 'code': 'missing_input', 'field': 'tenure'}
    """
    body: dict[str, Any] = {"error": error.message, "code": error.code}
    if error.field is not None:
        body["field"] = error.field
    if error.value is not None:
        body["value"] = shown(error.value)
    if error.allowed is not None:
        body["allowed"] = error.allowed[:_MAX_ALLOWED] if isinstance(error.allowed, list) else shown(error.allowed)
    if error.hint:
        body["hint"] = error.hint
    return body


def shown(value: Any) -> Any:
    """Return a value in the form in which an error may show it: short, and writable as JSON."""
    if isinstance(value, str):
        return value[:_MAX_SHOWN]
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return repr(value)[:_MAX_SHOWN]


class BadReply(Unavailable):
    """Control answered with what is not valid HTTP."""

    code = "bad_reply"
    status = 502
