"""The job's end: starts the recipe in its sandbox, and is to the job a recipe like any other."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.infra.compute import Room, child_environment, need_sandbox, sandboxed
from aimass.kernel.errors import Failed, Invalid
from aimass.models import Candidate
from aimass.training.children.guest import wire
from aimass.training.errors import Unlearnable
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.protocol import RecipeContext, Table

PLACE = "/recipe"  # where the sandbox shows the file
_PROGRAM = "aimass.training.children.guest"
_CLOSE_S = 5.0
MOST_METRICS, MOST_STEPS = 50, 2**31
_METRIC = re.compile(r"(?!fold_|system\.)[A-Za-z_][A-Za-z0-9_./-]{0,79}")
_SAID = {"detail": 2000, "hint": 500, "field": 100}


@contextmanager
def guest(file: Path, name: str, hide: tuple[Path, ...], *, patience_s: float | None = None) -> Iterator[Guest]:
    """Run a recipe file in a sandbox while the block lasts.

    Parameters
    ----------
    file, name
        Where the text lies, and what the file is called.
    hide
        Folders of which the sandbox sees nothing, whatever is shown above them.
    patience_s
        How long it may say nothing; for ever if absent, as one that learns may.
    """
    need_sandbox()
    ours, theirs = socket.socketpair()
    ours.settimeout(patience_s)
    place = f"{PLACE}/{name}"
    command = [sys.executable, "-P", "-m", _PROGRAM, str(theirs.fileno()), place]
    variables = child_environment()
    boxed = sandboxed(command, Room(read={place: file}, hide=hide), variables)
    process = subprocess.Popen(boxed, env=variables, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),))
    theirs.close()
    try:
        yield Guest(ours, process, name)
    finally:
        ours.close()
        process.kill()
        process.wait(_CLOSE_S)


class Guest:
    """A recipe that lives elsewhere; what it calls a model is a number here.

    The scores are ours: it says what it predicts, and no more.
    """

    def __init__(self, stream: socket.socket, process: subprocess.Popen[bytes], name: str) -> None:
        self._stream = stream
        self._process = process
        self._name = name
        self._fits = 0

    def describe(self, task: str) -> Mapping[str, Any]:
        """Return name, version, parameters and search space of the recipe; refuse a file that holds none, or none for the task."""
        found, _ = self._ask({"call": "describe"})
        if not isinstance(found["space"], dict):
            raise Invalid(f"the space of {self._name!r} is no object", field="space", allowed='{"trees": {...}}')
        if task not in found["tasks"]:
            raise Invalid(
                f"recipe {self._name!r} does not do {task}", field="recipe", value=self._name, allowed=found["tasks"]
            )
        return found

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, defaults filled in, or name the first one that is wrong."""
        return self._ask({"call": "check", "params": dict(params)})[0]["params"]

    def fit(self, ctx: RecipeContext) -> int:
        """Let it learn; it asks for its rows, reports and saves as it goes."""
        self._fits += 1
        about = {"task": ctx.task, "params": ctx.params, "seed": ctx.seed, "threads": ctx.threads}
        self._ask({"call": "fit", "model": self._fits, **about, "signature": wire.told(ctx.signature)}, ctx=ctx)
        return self._fits

    def predict(self, ctx: RecipeContext, model: int, features: pl.DataFrame) -> Any:
        """Return what it predicts, if that has the shape of an answer."""
        _, bodies = self._ask({"call": "predict", "model": model}, wire.framed(features), ctx=ctx)
        found = wire.unpacked(bodies[0])
        classes = len(ctx.signature.classes)
        shape = (features.height, classes) if classes else (features.height,)
        if found.shape != shape or not np.issubdtype(found.dtype, np.number) or not np.isfinite(found).all():
            raise Failed(
                f"predict of {self._name!r} returned {found.dtype} of shape {found.shape}",
                field="recipe",
                allowed=f"finite numbers of shape {shape}",
                hint="probabilities by class in the order of ctx.signature.classes, or one number a row",
            )
        return found.astype(float)

    def evaluate(self, ctx: RecipeContext, model: int, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared, as the platform measures them."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: int) -> Mapping[str, float] | None:
        """Return the weight of each input, as it says."""
        weights = self._ask({"call": "importance", "model": model}, ctx=ctx)[0]["weights"]
        if weights is None:
            return None
        known = {column.name for column in ctx.signature.inputs}
        return {name: float(weight) for name, weight in weights.items() if name in known}

    def package(self, ctx: RecipeContext, model: int) -> Candidate:
        """Return the ways in which it can be written down."""
        ways, _ = self._ask({"call": "package", "model": model}, ctx=ctx)

        def written(way: str) -> bytes:
            return self._ask({"call": way}, ctx=ctx)[1][0]

        return Candidate(
            signature=ctx.signature,
            to_python=lambda: written("to_python"),
            to_onnx=(lambda: written("to_onnx")) if ways["is_onnx"] else None,
            why_not_onnx=ways["why_not_onnx"],
        )

    def _ask(
        self, message: dict[str, Any], *bodies: bytes, ctx: RecipeContext | None = None
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Return the answer to a question; what it asks meanwhile is answered from the context."""
        try:
            wire.send(self._stream, message, *bodies)
        except OSError as reason:
            raise self._gone() from reason
        while (heard := self._heard()) is not None:
            said, parts = heard
            if "error" in said:
                raise _refusal(said["error"])
            if "result" in said:
                return said["result"], parts
            if ctx is None:
                break
            self._serve(ctx, said, parts)
        raise self._gone()

    def _heard(self) -> tuple[dict[str, Any], list[bytes]] | None:
        try:
            return wire.receive(self._stream)
        except TimeoutError as reason:
            raise Failed(
                f"recipe {self._name!r} says nothing for {self._stream.gettimeout():g} s",
                field="recipe",
                hint="do at import what is quick, and the rest in fit",
            ) from reason

    def _serve(self, ctx: RecipeContext, said: dict[str, Any], parts: list[bytes]) -> None:
        """Do what the recipe asks for while it learns."""
        match said.get("ask"):
            case "data":
                wire.send(self._stream, {}, *wire.tabled(ctx.data(said["part"])))
            case "report":
                ctx.report(int(said["step"]), int(said["total"]), **self._metrics(said))
                wire.send(self._stream, {})
            case "save":
                ctx.save(parts[0], said["name"])
                wire.send(self._stream, {})
            case "restore":
                state = ctx.restore(said["name"])
                wire.send(self._stream, {"is_there": state is not None}, state or b"")
            case other:
                raise Failed(f"recipe {self._name!r} asked for {str(other)[:40]!r}", field="recipe")

    def _metrics(self, said: dict[str, Any]) -> dict[str, float]:
        """Return what it measured, if it may be kept so: it is not believed."""
        found = {str(name): float(value) for name, value in said["metrics"].items()}
        odd = next((name for name in found if not _METRIC.fullmatch(name)), None)
        if odd is not None or len(found) > MOST_METRICS or not 0 <= int(said["step"]) < MOST_STEPS:
            raise Invalid(
                f"recipe {self._name!r} reports what cannot be kept",
                field="recipe",
                value={"step": said["step"], "metrics": len(found), "name": (odd or "")[:80]},
                allowed=f"steps from 0, at most {MOST_METRICS} metrics, names like {_METRIC.pattern}",
            )
        return found

    def _gone(self) -> Failed:
        try:
            code: Any = self._process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            code = "it speaks no longer"
        return Failed(
            f"the process of recipe {self._name!r} ended: exit status {code}",
            field="recipe",
            hint="look at the log; memory may have run out",
        )


def _refusal(said: Mapping[str, Any]) -> Failed | Invalid:
    """Return the error that it tells, cut to what a run keeps: bad input, or a failure, and nothing else."""
    told = {name: str(said[name])[:most] for name, most in _SAID.items() if said.get(name)}
    kind = Invalid if said.get("code") in (Invalid.code, Unlearnable.code) else Failed
    allowed = str(said["allowed"])[:500] if said.get("allowed") else None
    return kind(told.pop("detail", "no reason given"), allowed=allowed, **told)
