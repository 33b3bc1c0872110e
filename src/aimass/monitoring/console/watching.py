"""What people do on the tabs of a service that monitoring fills."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import Form, Response
from pydantic import BaseModel

from aimass.kernel.errors import Invalid
from aimass.monitoring.domain.monitors import ChangeMonitor, EvaluateNow, SetReference
from aimass.monitoring.domain.records import Label, SendFeedback
from aimass.monitoring.service.monitoring import Monitoring
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/services/{endpoint}"
Text = Annotated[str, Form()]


class MonitorForm(BaseModel):
    """How a deployment is watched."""

    window_rows: int
    min_rows: int
    is_enabled: Literal["true", "false"] = "false"


@router.post(f"{PATH}/drift/compute")
def compute(visit: Visit, endpoint: str) -> Response:
    """Compute drift, quality and alerts now."""
    wish = EvaluateNow(workspace=visit.workspace, endpoint=endpoint)
    found = visit.get(Monitoring).evaluate_now(visit.who, wish)
    if found.notes and not found.drift and not found.quality:
        raise Invalid(found.notes[0], hint=visit.say("send it some requests and feedback first"))
    return visit.done(visit.say("Computed; open alerts: %(n)d", n=len(found.alerts)))


@router.post(f"{PATH}/drift/reference")
def refer(visit: Visit, endpoint: str, dataset: Text, target: Text = "", deployment: Text = "") -> Response:
    """Compare with another dataset."""
    wish = SetReference(
        workspace=visit.workspace,
        endpoint=endpoint,
        dataset=dataset,
        target=target or None,
        deployment=deployment or None,
    )
    visit.get(Monitoring).set_reference(visit.who, wish)
    return visit.done(visit.say("Compared with %(name)s from now on", name=dataset))


@router.post(f"{PATH}/drift/monitors/{{monitor}}")
def change(visit: Visit, endpoint: str, monitor: str, form: Annotated[MonitorForm, Form()]) -> Response:
    """Change how a deployment is watched."""
    del endpoint
    wish = ChangeMonitor(
        workspace=visit.workspace,
        monitor=monitor,
        window_rows=form.window_rows,
        min_rows=form.min_rows,
        is_enabled=form.is_enabled == "true",
    )
    visit.get(Monitoring).change_monitor(visit.who, wish)
    return visit.done(visit.say("The monitor was changed"))


@router.post(f"{PATH}/records/{{request}}/truth")
def tell(visit: Visit, endpoint: str, request: str, label: Text, row: Annotated[int, Form()] = 0) -> Response:
    """Tell what became true."""
    labels = [Label(request_id=request, label=labels_of(label), row=row)]
    visit.get(Monitoring).send_feedback(
        visit.who, SendFeedback(workspace=visit.workspace, endpoint=endpoint, labels=labels)
    )
    return visit.done(visit.say("Noted; quality is computed anew"))


def labels_of(text: str) -> str | list[str]:
    """Return what a person typed: a JSON list of texts is several labels.

    Examples
    --------
    >>> labels_of('["love"]'), labels_of("[draft]"), labels_of("Yes")
    (['love'], '[draft]', 'Yes')
    """
    try:
        found: Any = json.loads(text) if text.startswith("[") else None
    except ValueError:
        return text
    return found if isinstance(found, list) and all(isinstance(name, str) for name in found) else text
