"""Imported weights: a job makes a package of them, which is registered and reviewed like any other."""

from __future__ import annotations

from pathlib import Path

from aimass.cluster import Job, ListJobs, SubmitJob
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page
from aimass.kernel.principal import SYSTEM, Grant, Principal
from aimass.models import OneVersion, Registration
from aimass.training.service.runs import Runs

IMPORT = "training.import_weights"
TOKENIZER, TENSORS = "tokenizer.json", "model.safetensors"
FILES = ("config.json", TOKENIZER, TENSORS)
PICTURE_FILES = ("config.json", "preprocessor_config.json", TENSORS)
MOST_BYTES = 2 * 2**30


class Importing(Runs):
    """Models that were made elsewhere, as files of numbers."""

    def import_weights(self, who: Principal, workspace: str, model: str, sha256: str, description: str) -> Job:
        """Begin the import of a kept archive, on behalf of somebody whose right was checked."""
        slug = check_slug(model, field="model")
        payload = {
            "file": str(self._ground.blobs.path(sha256)),
            "sha256": sha256,
            "description": description,
            "author": {"id": who.id, "name": who.name, "kind": who.kind},
        }
        wish = SubmitJob(
            workspace=workspace,
            kind=IMPORT,
            title=f"Import weights as {slug}",
            payload=payload,
            key=f"import:{slug}:{new_id()}",
            subject=f"model:{slug}",
        )
        return self._ground.jobs.submit(who, wish)

    def imports(self, who: Principal, workspace: str, cursor: str | None = None) -> Page[Job]:
        """Return the imports of a workspace, newest first."""
        who.need("training.read", workspace)
        return self._ground.jobs.list_jobs(SYSTEM, ListJobs(workspace=workspace, kind=IMPORT, limit=50, cursor=cursor))

    def weights_imported(self, job: Job, folder: Path) -> None:
        """Register the package that a job made of weights, and let it be reviewed; repeating it changes nothing."""
        models, said = self._ground.models, job.payload["author"]
        grant = Grant(workspace=job.workspace, permissions=frozenset({"models.edit"}))
        who = Principal(id=said["id"], name=said["name"], kind=said["kind"], grants=(grant,))
        wish = Registration(
            workspace=job.workspace,
            model=job.subject.removeprefix("model:"),
            digest=models.keep_package(folder).digest,
            origin="upload",
            source=f"weights imported by {who.name}",
            key=f"import:{job.id}",
            description=job.payload["description"],
        )
        made = models.register(who, wish)
        models.submit_review(SYSTEM, OneVersion(workspace=made.workspace, model=made.model, number=made.number))
