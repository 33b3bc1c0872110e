"""The form for a recipe of one's own."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Response, UploadFile

from aimass.kernel.errors import Invalid
from aimass.training.console.runs import object_of
from aimass.training.domain.runs import MAX_SOURCE, StartOwnRun
from aimass.training.service.training import Training
from aimass.web import PageVisit, Visit, page_router

router = page_router()


@router.post("/{workspace}/work/training/-/own")
def start_own(
    visit: Visit,
    file: UploadFile,
    split: Annotated[str, Form()],
    experiment: Annotated[str, Form()] = "default",
    name: Annotated[str, Form()] = "",
    params: Annotated[str, Form()] = "",
) -> Response:
    """Train a recipe from a file, then open the run."""
    visit.who.need("training.edit", visit.workspace)
    if not file.filename:
        raise Invalid(visit.say("Choose a file"), field="file")
    command = StartOwnRun(
        workspace=visit.workspace,
        recipe=file.filename,
        source=text_of(visit, file),
        split=split,
        experiment=experiment or "default",
        name=name or None,
        params=object_of(visit, params),
    )
    made = visit.get(Training).start_own_run(visit.who, command)
    return visit.go(
        f"/{visit.workspace}/work/training/{made.id}", toast=visit.say("%(name)s is training", name=made.name)
    )


def text_of(visit: PageVisit, file: UploadFile) -> str:
    """Return the text of a recipe that somebody chose."""
    try:
        return file.file.read(MAX_SOURCE + 1).decode()
    except UnicodeDecodeError as reason:
        raise Invalid(visit.say("This is no text in UTF-8"), field="file") from reason
