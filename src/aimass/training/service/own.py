"""Recipes of people: a run whose recipe comes along as the text of a file."""

from __future__ import annotations

from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.training.domain.runs import Run, StartOwnRun
from aimass.training.service.filed import file_kept
from aimass.training.service.results import Results


class OwnRecipes(Results):
    """Runs of recipes that nobody installed."""

    @use_case(
        "POST /workspaces/{workspace}/runs/own",
        permission="training.edit",
        cli="train own",
        status=202,
        progress="training.get_run",
    )
    def start_own_run(self, who: Principal, command: StartOwnRun) -> Run:
        """Train a recipe of your own: the text of a file, which runs in a sandbox and is kept with the run."""
        return self.start_filed(
            who, command, file_kept(self._ground, command.recipe, command.source), slots=command.slots
        )
