"""The languages of inference: one module each, named in this table and nowhere else."""

from __future__ import annotations

from aimass.gateway.plane.calls import Dialect
from aimass.gateway.plane.dialects.explain import Explain
from aimass.gateway.plane.dialects.generate import Generate
from aimass.gateway.plane.dialects.mlflow import Mlflow
from aimass.gateway.plane.dialects.oip import OpenInference
from aimass.gateway.plane.entrance import Entrance

DIALECTS = (OpenInference, Explain, Generate, Mlflow)


def speak(entrance: Entrance) -> dict[bytes, Dialect]:
    """Return who answers below each first part of an address."""
    dialects: list[Dialect] = [dialect(entrance) for dialect in DIALECTS]
    entrance.verbs = {verb: dialect for dialect in dialects for verb in dialect.verbs}
    return {segment: dialect for dialect in dialects for segment in dialect.segments}
