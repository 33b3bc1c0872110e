"""The end in the sandbox: ``python -m aimass.training.children.guest <fd> <file>``."""

from __future__ import annotations

import importlib.util
import socket
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from aimass.infra.compute import problem
from aimass.kernel.errors import AimassError, Invalid
from aimass.models import Candidate, Signature
from aimass.training.children.guest import wire
from aimass.training.recipes import RecipeManifest
from aimass.training.recipes.protocol import Recipe, Table, parameters_of

_HINT = "a recipe file sets RECIPE = RecipeManifest(...) and RUN = an object with fit, predict and package"


@dataclass(slots=True, kw_only=True)
class GuestContext:
    """What the recipe gets; the job at the other end has the rows and keeps the states."""

    stream: socket.socket
    task: str
    params: Any
    signature: Signature
    seed: int
    threads: int
    base: bytes | None = None

    def data(self, part: str) -> Table:
        """Return the rows of ``train`` or ``validation``."""
        _, (features, truth) = self._ask({"ask": "data", "part": part})
        return wire.untabled(features, truth)

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Tell the progress."""
        told = {name: float(value) for name, value in metrics.items()}
        self._ask({"ask": "report", "step": int(step), "total": int(total), "metrics": told})

    def look(self, step: int, total: int, answer: Any) -> None:
        """Show nothing: of a recipe from a file a study sees the folds alone."""

    def save(self, state: bytes, name: str = "recipe") -> None:
        """Commit a checkpoint."""
        self._ask({"ask": "save", "name": name}, bytes(state))

    def restore(self, name: str = "recipe") -> bytes | None:
        """Return the checkpoint of an earlier attempt, or None."""
        found, (state,) = self._ask({"ask": "restore", "name": name})
        return state if found["is_there"] else None

    def _ask(self, message: dict[str, Any], *bodies: bytes) -> tuple[dict[str, Any], list[bytes]]:
        wire.send(self.stream, message, *bodies)
        heard = wire.receive(self.stream)
        if heard is None:
            raise SystemExit(0)
        return heard


class Guest:
    """Answers one question after the other; keeps the model of the last fit alone."""

    def __init__(self, stream: socket.socket, file: Path) -> None:
        self._stream = stream
        self._file = file
        self._loaded: tuple[RecipeManifest, Recipe] | None = None
        self._model: tuple[int, Any, GuestContext] | None = None
        self._candidate: Candidate | None = None

    def serve(self) -> None:
        """Answer until the job hangs up."""
        while (heard := wire.receive(self._stream)) is not None:
            message, bodies = heard
            try:
                answer, *parts = getattr(self, f"do_{message['call']}")(message, bodies)
                wire.send(self._stream, {"result": answer}, *parts)
            except Exception as reason:  # noqa: BLE001 whatever the recipe raises is its answer
                sys.stderr.write(traceback.format_exc())
                sys.stderr.flush()
                wire.send(self._stream, {"error": problem(reason)})

    def _recipe(self) -> tuple[RecipeManifest, Recipe]:
        if self._loaded is None:
            self._loaded = loaded(self._file)
        return self._loaded

    def _fitted(self, message: Mapping[str, Any]) -> tuple[Any, GuestContext]:
        if self._model is None or self._model[0] != message["model"]:
            raise Invalid("the model of an earlier fit is gone", field="recipe")
        return self._model[1:]

    def do_describe(self, message: Mapping[str, Any], bodies: list[bytes]) -> tuple[dict[str, Any]]:
        """Load the file, and tell what it is."""
        del message, bodies
        manifest, _ = self._recipe()
        about = {"name": manifest.name, "version": manifest.version, "tasks": list(manifest.tasks)}
        return ({**about, "parameters": manifest.known, "space": manifest.space},)

    def do_check(self, message: Mapping[str, Any], bodies: list[bytes]) -> tuple[dict[str, Any]]:
        """Check parameters."""
        del bodies
        return ({"params": self._recipe()[0].check(message["params"])},)

    def do_fit(self, message: Mapping[str, Any], bodies: list[bytes]) -> tuple[dict[str, Any]]:
        """Learn."""
        del bodies
        manifest, recipe = self._recipe()
        self._model = self._candidate = None
        ctx = GuestContext(
            stream=self._stream,
            task=message["task"],
            params=parameters_of(message["params"], manifest.parameters),
            signature=wire.understood(message["signature"]),
            seed=message["seed"],
            threads=message["threads"],
        )
        self._model = (message["model"], recipe.fit(ctx), ctx)
        return ({},)

    def do_predict(self, message: Mapping[str, Any], bodies: list[bytes]) -> tuple[dict[str, Any], bytes]:
        """Answer rows."""
        model, ctx = self._fitted(message)
        features: pl.DataFrame = wire.unframed(bodies[0])
        return {}, wire.packed(self._recipe()[1].predict(ctx, model, features))

    def do_importance(self, message: Mapping[str, Any], bodies: list[bytes]) -> tuple[dict[str, Any]]:
        """Tell the weight of each input, if the recipe has such a notion."""
        del bodies
        model, ctx = self._fitted(message)
        tell = getattr(self._recipe()[1], "importance", None)
        weights = tell(ctx, model) if tell is not None else None
        return ({"weights": weights and {str(name): float(weight) for name, weight in weights.items()}},)

    def do_package(self, message: Mapping[str, Any], bodies: list[bytes]) -> tuple[dict[str, Any]]:
        """Say how the model can be written down."""
        del bodies
        model, ctx = self._fitted(message)
        candidate = self._recipe()[1].package(ctx, model)
        if not isinstance(candidate, Candidate):
            raise Invalid("a recipe from a file writes a graph or a pipeline", field="recipe")
        self._candidate = candidate
        return ({"is_onnx": self._candidate.to_onnx is not None, "why_not_onnx": self._candidate.why_not_onnx},)

    def do_to_onnx(self, message: Mapping[str, Any], bodies: list[bytes]) -> tuple[dict[str, Any], bytes]:
        """Write the graph."""
        del message, bodies
        if self._candidate is None or self._candidate.to_onnx is None:
            raise Invalid("there is no graph", field="recipe")
        return {}, self._candidate.to_onnx()

    def do_to_python(self, message: Mapping[str, Any], bodies: list[bytes]) -> tuple[dict[str, Any], bytes]:
        """Write the objects as skops."""
        del message, bodies
        if self._candidate is None:
            raise Invalid("there is no model", field="recipe")
        return {}, self._candidate.to_python()


def loaded(file: Path) -> tuple[RecipeManifest, Recipe]:
    """Return manifest and run part of a recipe file, or say what it lacks."""
    spec = importlib.util.spec_from_file_location("own_recipe", file)
    if spec is None or spec.loader is None:
        raise Invalid(f"{file.name!r} is no Python file", field="recipe", value=file.name, hint=_HINT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # what it defines finds itself again
    try:
        spec.loader.exec_module(module)
    except AimassError:
        raise
    except Exception as reason:
        own = [frame.lineno for frame in traceback.extract_tb(reason.__traceback__) if frame.filename == str(file)]
        line = getattr(reason, "lineno", None) or own[-1]
        raise Invalid(
            f"{file.name}, line {line}: {type(reason).__name__}: {reason}", field="recipe", value=file.name
        ) from reason
    manifest, run = getattr(module, "RECIPE", None), getattr(module, "RUN", None)
    if not isinstance(manifest, RecipeManifest):
        raise Invalid(f"{file.name!r} has no RECIPE", field="recipe", value=file.name, hint=_HINT)
    lacking = [name for name in ("fit", "predict", "package") if not callable(getattr(run, name, None))]
    if lacking:
        raise Invalid(
            f"RUN of {file.name!r} has no {lacking[0]}", field="recipe", value=lacking, allowed=None, hint=_HINT
        )
    return manifest, run  # pyright: ignore[reportReturnType] its methods were looked at


if __name__ == "__main__":
    Guest(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2])).serve()
