"""Recipes and experiments."""

from __future__ import annotations

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import SIGNED_IN, use_case
from aimass.training.domain.experiments import CreateExperiment, Experiment, ListExperiments, OneExperiment
from aimass.training.domain.recipes import OneRecipe, RecipeInfo
from aimass.training.events import EXPERIMENT_CREATED, EXPERIMENT_DELETED
from aimass.training.recipes import RecipeManifest, find_recipe, recipes
from aimass.training.service.ground import Part
from aimass.training.store import add, experiments_page, find_experiment, retire_experiment
from aimass.training.tables import experiments


class Experiments(Part):
    """What can be trained, and the groups that runs belong to."""

    @use_case("GET /recipes", permission=SIGNED_IN, cli="recipes list")
    def list_recipes(self, who: Principal) -> list[RecipeInfo]:
        """List the recipes that are installed."""
        del who
        return [_info(recipe) for recipe in recipes().values()]

    @use_case("GET /recipes/{recipe}", permission=SIGNED_IN, cli="recipes show")
    def get_recipe(self, who: Principal, command: OneRecipe) -> RecipeInfo:
        """Show a recipe with its parameters, their defaults and ranges."""
        del who
        return _info(find_recipe(command.recipe))

    @use_case(
        "POST /workspaces/{workspace}/experiments", permission="training.edit", cli="experiments create", status=201
    )
    def create_experiment(self, who: Principal, command: CreateExperiment) -> Experiment:
        """Create an experiment."""
        name = clean_name(command.name)
        slug = check_slug(command.slug or slug_of(name))
        with self._database.change(who, command.workspace) as change:
            if find_experiment(change.conn, command.workspace, slug):
                raise Conflict(f"the slug {slug!r} is taken", field="slug", value=slug, hint="choose another slug")
            return new_experiment(change, slug, name, command.description)

    @use_case("GET /workspaces/{workspace}/experiments", permission="training.read", cli="experiments list")
    def list_experiments(self, who: Principal, command: ListExperiments) -> Page[Experiment]:
        """List experiments, newest first."""
        del who
        with self._database.read() as conn:
            return page_of(experiments_page(conn, command), command.limit, lambda experiment: experiment.id)

    @use_case(
        "GET /workspaces/{workspace}/experiments/{experiment}",
        permission="training.read",
        cli="experiments show",
        on="experiment",
    )
    def get_experiment(self, who: Principal, command: OneExperiment) -> Experiment:
        """Show an experiment."""
        del who
        with self._database.read() as conn:
            found = find_experiment(conn, command.workspace, command.experiment)
        return _need(found, command)

    @use_case(
        "DELETE /workspaces/{workspace}/experiments/{experiment}",
        permission="training.manage",
        cli="experiments delete",
        on="experiment",
        status=204,
    )
    def delete_experiment(self, who: Principal, command: OneExperiment) -> None:
        """Delete an experiment with its runs; registered model versions stay."""
        with self._database.change(who, command.workspace) as change:
            found = find_experiment(change.conn, command.workspace, command.experiment)
            experiment = _need(found, command)
            retire_experiment(change, experiment)
            detail = {"runs": experiment.runs}
            change.audit("training.experiment.delete", object_=f"experiment:{experiment.slug}", detail=detail)
            change.event(EXPERIMENT_DELETED, subject=f"experiment:{experiment.slug}")


def _need(found: Experiment | None, command: OneExperiment) -> Experiment:
    if found is None:
        raise NotFound(f"there is no experiment {command.experiment!r}", field="experiment", value=command.experiment)
    return found


def new_experiment(change: Change, slug: str, name: str, description: str = "") -> Experiment:
    """Write a new experiment."""
    values = {
        "id": new_id(),
        "workspace": change.workspace,
        "slug": slug,
        "name": name,
        "description": description,
        "created_by": change.who.id,
        "created_at": change.now,
        "deleted_at": None,
        "version": 1,
    }
    add(change, experiments, values)
    change.audit("training.experiment.create", object_=f"experiment:{slug}")
    change.event(EXPERIMENT_CREATED, subject=f"experiment:{slug}")
    values.pop("deleted_at")
    return Experiment(runs=0, **values)


def _info(recipe: RecipeManifest) -> RecipeInfo:
    return RecipeInfo(
        name=recipe.name,
        version=recipe.version,
        title=recipe.title,
        summary=recipe.summary,
        tasks=recipe.tasks,
        slots=recipe.needs.slots,
        memory_mb=recipe.needs.memory_mb,
        capabilities=tuple(sorted(recipe.capabilities)),
        parameters=recipe.schema(),
        space=dict(recipe.space),
        install=recipe.install,
    )
