"""The playground: try an endpoint with one row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from aimass.kernel.errors import Invalid
from aimass.serving.console.shown import PATH, opened
from aimass.serving.domain.commands import OneEndpoint
from aimass.serving.domain.trials import EndpointSignature, ExplainRow, GetSignature, Input, TryEndpoint
from aimass.serving.errors import NotServing
from aimass.serving.service.serving import Serving
from aimass.web import PageVisit, Picture, Visit, page_router, picture_of

router = page_router()
PREFIX = "in:"
PARAMETERS = "in::parameters"  # no input is named so: a colon begins nothing that a model names
MANY = 12


@router.get(f"{PATH}/playground")
def playground(visit: Visit, endpoint: str, sample: int = 0) -> Response:
    """What does this service say to a row like mine, and how do I call it from my program?"""
    shared = opened(visit, endpoint, "playground")
    signature, snippet = None, None
    if shared["main"] is not None and shared["main"].revision is not None:
        signature, snippet = _described(visit, endpoint, max(0, sample))
    parts = {"service-head": "serving/_head.html"}
    return visit.render(
        "serving/playground.html",
        parts=parts,
        **shared,
        signature=signature,
        snippet=snippet,
        sample=sample,
        many=MANY,
        prefix=PREFIX,
        parameters=PARAMETERS,
    )


def _described(visit: PageVisit, endpoint: str, sample: int) -> tuple[EndpointSignature | None, Any]:
    serving = visit.get(Serving)
    try:
        wish = GetSignature(workspace=visit.workspace, endpoint=endpoint, sample=sample)
        signature = serving.get_signature(visit.who, wish)
        return signature, serving.get_snippet(visit.who, OneEndpoint(workspace=visit.workspace, endpoint=endpoint))
    except NotServing:
        return None, None  # it was stopped a moment ago


async def filled(request: Request) -> dict[str, str]:
    """Return the fields of the form, whose names the model decides."""
    form = await request.form()
    return {name: str(value) for name, value in form.items() if name.startswith(PREFIX)}


@router.post(f"{PATH}/playground")
def send(visit: Visit, endpoint: str, given: Annotated[dict[str, str], Depends(filled)]) -> Response:
    """Send the row through the gateway and show the answer."""
    serving = visit.get(Serving)
    row = _row(visit, endpoint, given)
    wish = TryEndpoint(workspace=visit.workspace, endpoint=endpoint, row=row, parameters=_parameters(given))
    try:
        said = serving.try_endpoint(visit.who, wish)
    except Invalid as error:
        raise _at_field(error) from error
    at = f"/{visit.workspace}/services/{endpoint}"
    may_watch = visit.allows("monitoring.read", f"endpoint:{endpoint}")
    return visit.render(
        "serving/_answer.html",
        said=said,
        at=at,
        may_watch=may_watch,
        marked=_marked(row, said.outputs),
        picture=_pictured(row, said.outputs),
    )


def _parameters(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters that were typed as a JSON object."""
    text = given.get(PARAMETERS, "").strip()
    try:
        found = json.loads(text or "{}")
    except json.JSONDecodeError as reason:
        raise Invalid(f"parameters are no JSON: {reason}", field=PARAMETERS, value=text) from reason
    if not isinstance(found, dict):
        raise Invalid("parameters are a JSON object", field=PARAMETERS, value=text, allowed='{"max_tokens": 40}')
    return found


def _marked(row: dict[str, Any], outputs: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the text that was sent and the entities that were found in it; None of a model that finds none."""
    texts = [value for value in row.values() if isinstance(value, str)]
    written = outputs.get("entities")
    return (texts[0], written) if len(texts) == len(row) == 1 and isinstance(written, str) else None


def _pictured(row: dict[str, Any], outputs: Mapping[str, Any]) -> Picture | None:
    """Return the picture that was sent, and what was found in it; None of a model that finds nothing in pictures."""
    pixels = next(iter(row.values()), None)
    return picture_of(pixels, outputs.get("objects")) if len(row) == 1 else None


@router.post(f"{PATH}/playground/explain")
def explain(visit: Visit, endpoint: str, given: Annotated[dict[str, str], Depends(filled)]) -> Response:
    """Ask through the gateway what each input of the row contributed."""
    wish = ExplainRow(workspace=visit.workspace, endpoint=endpoint, row=_row(visit, endpoint, given))
    try:
        said = visit.get(Serving).explain_row(visit.who, wish)
    except Invalid as error:
        raise _at_field(error) from error
    chart = {"items": [{"name": name, "value": share} for name, share in said.shares.items()]}
    return visit.render("serving/_explained.html", said=said, chart=chart)


def _row(visit: PageVisit, endpoint: str, given: dict[str, str]) -> dict[str, Any]:
    wish = GetSignature(workspace=visit.workspace, endpoint=endpoint)
    signature = visit.get(Serving).get_signature(visit.who, wish)
    return {column.name: value_of(column, given.get(PREFIX + column.name, "")) for column in signature.inputs}


def value_of(column: Input, text: str) -> Any:
    """Read what somebody wrote for an input; nothing is null.

    Examples
    --------
    >>> tenure = Input(name="tenure", type="integer", nullable=False, categories=None, unseen="serve", example=1)
    >>> value_of(tenure, "12"), value_of(tenure, "")
    (12, None)
    """
    if text == "" and column.type != "string":
        return None
    if text == "" and column.nullable:
        return None
    if column.shape is not None:
        return _array(column, text)
    if column.type == "boolean":
        return text == "true"
    if column.type == "string":
        return text
    try:
        return int(text) if column.type == "integer" else float(text)
    except ValueError as reason:
        allowed = "a whole number" if column.type == "integer" else "a number"
        raise Invalid(f"{text!r} is no number", field=PREFIX + column.name, value=text, allowed=allowed) from reason


def _array(column: Input, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as reason:
        raise Invalid(
            f"{text[:80]!r} is no JSON", field=PREFIX + column.name, value=text[:80], allowed="nested lists of values"
        ) from reason


def _at_field(error: Invalid) -> Invalid:
    """Name the field of the form instead of the input of the model."""
    if error.field and error.field.startswith("parameters."):
        error.field = PARAMETERS
    elif error.field and not error.field.startswith(PREFIX):
        error.field = PREFIX + error.field
    return error
