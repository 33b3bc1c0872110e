"""The service of the room, made of its parts."""

from __future__ import annotations

from typing import Any

from aimass.models import CHAMPION, ModelVersion
from aimass.training.domain.runs import Run
from aimass.training.service.advancing import Advancing
from aimass.training.service.compressing import Compressing
from aimass.training.service.erasing import Erasing
from aimass.training.service.experiments import Experiments
from aimass.training.service.forgetting import WINDOW
from aimass.training.service.ground import author_of, need_split
from aimass.training.service.importing import Importing
from aimass.training.service.learning import RECIPE as LEARNED
from aimass.training.service.learning import Learning
from aimass.training.service.own import OwnRecipes
from aimass.training.service.searching import Searching


class Training(Experiments, Advancing, Searching, Compressing, OwnRecipes, Learning, Erasing, Importing):
    """Recipes, experiments, splits, runs and what they leave, and searches among them."""

    def gate_payload(self, version: ModelVersion) -> dict[str, Any] | None:
        """Return what the metric gate needs to judge a version against the champion; None for an upload."""
        if version.origin != "run":
            return None
        run = self.run(version.workspace, version.source)
        if run.recipe == LEARNED:
            return self._light_gate(version, run)
        with self._database.read() as conn:
            split = need_split(conn, run.workspace, run.split)
        models = self._ground.models
        author = author_of(run)
        location = self._ground.locate(author, run.workspace, run.dataset, run.dataset_version)
        packages = {"package": str(models.package_folder(version.digest)), "champion": self._champion_of(version)}
        return {**self.data_of(split, location), **packages, "part": "test", "seed": run.seed}

    def _light_gate(self, version: ModelVersion, run: Run) -> dict[str, Any]:
        """Return what judges a snapshot of a learner: the newest rows, with its answers from before it learned them."""
        _, window = self.artifact(run.workspace, run.id, WINDOW)
        return {
            "window": str(window),
            "task": run.task,
            "package": str(self._ground.models.package_folder(version.digest)),
            "champion": self._champion_of(version),
            "seed": run.seed,
        }

    def _champion_of(self, version: ModelVersion) -> str | None:
        """Return the package that is served now, when it is another one."""
        models = self._ground.models
        champion = models.aliased(version.workspace, version.model, CHAMPION)
        if champion is None or champion.digest == version.digest:
            return None
        return str(models.package_folder(champion.digest))
