"""The library: every model with what is in production of it; uploading packages."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from fastapi import Form, Response, UploadFile

from aimass.kernel.errors import Invalid
from aimass.kernel.layout import DataDir
from aimass.models.archive import unpack
from aimass.models.console.shown import headline
from aimass.models.domain import CHAMPION, ListModels, Model, OneVersion, Registration, ReviewState
from aimass.models.service.models import Models
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/models"


@router.get(PATH)
def library(
    visit: Visit, q: str = "", alias: str = "", review: ReviewState | Literal[""] = "", cursor: str | None = None
) -> Response:
    """List the models.

    The question: which models do we have, which version of each is in production, and how good is it?
    """
    wish = ListModels(
        workspace=visit.workspace, text=q or None, alias=alias or None, review=review or None, cursor=cursor
    )
    models = visit.get(Models)
    page = models.list_models(visit.who, wish)
    found = [(model, *_versions(visit, model)) for model in page.items]
    aliases = [(name, name) for name in models.alias_names(visit.workspace)]
    more = {"q": q, "alias": alias, "review": review, "aliases": aliases, "headline": headline}
    return visit.render(
        "models/library.html", parts={"models": "models/_library.html"}, found=found, next=page.next, **more
    )


@router.post("/{workspace}/models/-/upload")
def upload(
    visit: Visit, file: UploadFile, model: Annotated[str, Form()], description: Annotated[str, Form()] = ""
) -> Response:
    """Register an uploaded package as the next version of a model, then open it."""
    visit.who.need("models.edit", visit.workspace, f"model:{model}")
    if not file.filename:
        raise Invalid(visit.say("Choose a file"), field="file")
    with TemporaryDirectory(dir=visit.get(DataDir).run) as folder:
        package = visit.get(Models).keep_package(unpack(file.file, Path(folder) / "package"))
    wish = Registration(
        workspace=visit.workspace,
        model=model,
        digest=package.digest,
        origin="upload",
        source=file.filename[:300],
        key=f"upload:{package.digest}",
        description=description,
    )
    made = visit.get(Models).register(visit.who, wish)
    toast = visit.say("%(name)s version %(n)d is registered", name=made.model, n=made.number)
    return visit.go(f"/{visit.workspace}/models/{made.model}/versions/{made.number}?tab=reviews", toast=toast)


def _versions(visit: PageVisit, model: Model) -> tuple[Any, Any]:
    """Return the newest version and the one in production; None where there is none."""
    models = visit.get(Models)

    def version(number: int | None) -> Any:
        if number is None:
            return None
        return models.get_version(visit.who, OneVersion(workspace=model.workspace, model=model.slug, number=number))

    newest = version(model.latest)
    champion = model.aliases.get(CHAMPION)
    return newest, newest if champion == model.latest else version(champion)
