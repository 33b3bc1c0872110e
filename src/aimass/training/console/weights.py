"""Pretrained weights: what was brought in, what became of it, and the form that brings more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from tempfile import TemporaryFile
from typing import IO, Annotated
from zipfile import ZIP_STORED, ZipFile

from fastapi import Form, Response, UploadFile

from aimass.infra.blobs import Blobs
from aimass.kernel.errors import Invalid, TooLarge
from aimass.kernel.layout import DataDir
from aimass.training.service.importing import FILES, MOST_BYTES, PICTURE_FILES, TENSORS, TOKENIZER
from aimass.training.service.training import Training
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/weights"
_CHUNK = 2**20


@router.get(PATH)
def weights(visit: Visit, cursor: str | None = None) -> Response:
    """List the imports of pretrained weights.

    The question: which weights were brought in, and which version of a model did they become, or why not?
    """
    found = visit.get(Training).imports(visit.who, visit.workspace, cursor)
    return visit.render("training/weights.html", parts={"weights": "training/_weights.html"}, found=found)


@router.post(PATH)
def bring(
    visit: Visit, files: list[UploadFile], model: Annotated[str, Form()], description: Annotated[str, Form()] = ""
) -> Response:
    """Begin an import of files of weights, then stay where its progress is shown."""
    visit.who.need("models.edit", visit.workspace, f"model:{model}")
    chosen = _chosen(visit, files)
    with TemporaryFile(dir=visit.get(DataDir).run) as file:
        with ZipFile(file, "w", ZIP_STORED) as archive:
            for name in sorted(chosen):
                with archive.open(name, "w", force_zip64=True) as inside:
                    for piece in _pieces(chosen[name].file):
                        inside.write(piece)
        if file.tell() > MOST_BYTES:
            raise TooLarge(f"the weights are larger than {MOST_BYTES} bytes", allowed=MOST_BYTES)
        file.seek(0)
        kept = visit.get(Blobs).put(_pieces(file))
    visit.get(Training).import_weights(visit.who, visit.workspace, model, kept.sha256, description)
    return visit.go(PATH.format(workspace=visit.workspace), toast=visit.say("%(name)s is being imported", name=model))


def _chosen(visit: PageVisit, files: Sequence[UploadFile]) -> dict[str, UploadFile]:
    """Return the files by name, or say which one is missing, or belongs to no weights; what has no tokenizer is of pictures."""
    chosen = {str(one.filename): one for one in files if one.filename}
    is_of_texts = TOKENIZER in chosen
    allowed, needed = (FILES, FILES) if is_of_texts else (PICTURE_FILES, (TENSORS,))
    missing = [name for name in needed if name not in chosen]
    unknown = [name for name in chosen if name not in allowed]
    if missing or unknown:
        said = visit.say("%(name)s is missing", name=missing[0]) if missing else ""
        raise Invalid(
            said or visit.say("%(name)s is no file of such weights", name=unknown[0][:100]),
            field="files",
            value=sorted(chosen),
            allowed=list(allowed),
        )
    return chosen


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece
