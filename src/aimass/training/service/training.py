"""The service of the room, made of its parts."""

from __future__ import annotations

from typing import Any

from aimass.models import CHAMPION, ModelVersion
from aimass.training.service.advancing import Advancing
from aimass.training.service.compressing import Compressing
from aimass.training.service.erasing import Erasing
from aimass.training.service.experiments import Experiments
from aimass.training.service.ground import author_of, need_split
from aimass.training.service.learning import Learning
from aimass.training.service.own import OwnRecipes
from aimass.training.service.searching import Searching


class Training(Experiments, Advancing, Searching, Compressing, OwnRecipes, Learning, Erasing):
    """Recipes, experiments, splits, runs and what they leave, and searches among them."""

    def gate_payload(self, version: ModelVersion) -> dict[str, Any] | None:
        """Return what the metric gate needs to judge a version against the champion; None for an upload."""
        if version.origin != "run":
            return None
        run = self.run(version.workspace, version.source)
        with self._database.read() as conn:
            split = need_split(conn, run.workspace, run.split)
        models = self._ground.models
        author = author_of(run)
        location = self._ground.locate(author, run.workspace, run.dataset, run.dataset_version)
        champion = models.aliased(version.workspace, version.model, CHAMPION)
        is_other = champion is not None and champion.digest != version.digest
        return {
            **self.data_of(split, location),
            "part": "test",
            "package": str(models.package_folder(version.digest)),
            "champion": str(models.package_folder(champion.digest)) if champion is not None and is_other else None,
            "seed": run.seed,
        }
