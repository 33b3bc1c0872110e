"""Every error leaves as an RFC 9457 problem with a stable code."""

from __future__ import annotations

import json
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from aimass.kernel.errors import AimassError, Failed
from aimass.kernel.ids import new_id

_log = structlog.get_logger("aimass.web")
_MEDIA = "application/problem+json"
_SHOWN = 200


def problem_response(body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Write a problem document."""
    try:
        content = orjson.dumps(body, default=str)
    except TypeError:  # it holds what was sent: a number of any size, half of a surrogate pair
        content = json.dumps({**body, "value": ascii(body.get("value"))[:_SHOWN]}, default=str).encode()
    return Response(content, status_code=body["status"], media_type=_MEDIA, headers=headers)


def error_response(error: AimassError, request_id: str | None = None) -> Response:
    """Write an error of ours."""
    body = error.problem()
    if request_id:
        body["request_id"] = request_id
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}  # noqa: PLR2004 RFC 9110, 401 names the scheme
    retry = getattr(error, "retry_after_s", None)
    if retry is not None:
        headers["Retry-After"] = str(int(retry))
    return problem_response(body, headers)


def _shorten(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, default=str)  # numbers of any size
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _secret(field: str) -> bool:
    return any(word in field for word in ("password", "token", "secret", "totp", "key", "credential"))


def validation_problem(reason: RequestValidationError) -> dict[str, Any]:
    """Tell the first wrong field: its name, its value and what is allowed."""
    errors = reason.errors()
    first = errors[0]
    field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")) or "body"
    body: dict[str, Any] = {
        "type": "urn:aimass:error:invalid",
        "title": "Invalid",
        "status": 400,
        "code": "invalid",
        "detail": f"{field}: {first['msg']}",
        "field": field,
        "allowed": str(first.get("ctx", {}).get("expected") or first["msg"]),
        "errors": [{"field": ".".join(map(str, e["loc"][1:])), "message": e["msg"]} for e in errors[:20]],
    }
    if first["type"] != "missing" and not _secret(field):
        body["value"] = _shorten(first.get("input"))
    return body


def install_problems(app: FastAPI) -> None:
    """Answer every kind of error with a problem."""

    @app.exception_handler(AimassError)
    def known(request: Request, error: Exception) -> Response:
        del request
        return error_response(error if isinstance(error, AimassError) else Failed())

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: Exception) -> Response:
        del request
        return problem_response(validation_problem(error))  # pyright: ignore[reportArgumentType]

    @app.exception_handler(HTTPException)
    def http(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        detail = str(getattr(error, "detail", "")) or "the request failed"
        code = {404: "not_found", 405: "method_not_allowed"}.get(status, "http_error")
        body = {
            "type": f"urn:aimass:error:{code}",
            "title": detail,
            "status": status,
            "code": code,
            "detail": f"{detail}: {request.url.path}",
        }
        return problem_response(body, dict(getattr(error, "headers", None) or {}))

    @app.exception_handler(Exception)
    def unknown(request: Request, error: Exception) -> Response:
        request_id = new_id()
        _log.error("request failed", request_id=request_id, path=request.url.path, exc_info=error)
        failure = Failed(
            "something inside AI Mass failed", hint=f"the log of control has the details under {request_id}"
        )
        answer = error_response(failure, request_id)
        answer.headers["Connection"] = "close"  # the server closes it after a fault: nobody shall send another request
        return answer
