"""What a model answers, one file for each kind; the first that fits a signature is its own."""

from __future__ import annotations

from aimass.models.children.kinds.classes import Classes
from aimass.models.children.kinds.decisions import Decisions
from aimass.models.children.kinds.entities import Entities
from aimass.models.children.kinds.forecasts import Forecasts
from aimass.models.children.kinds.labels import Labels
from aimass.models.children.kinds.language import Language
from aimass.models.children.kinds.number import Number
from aimass.models.children.kinds.objects import Objects
from aimass.models.children.kinds.port import Kind
from aimass.models.children.kinds.summary import Summary
from aimass.models.package import Signature

KINDS: tuple[Kind, ...] = (
    Entities(),
    Objects(),
    Summary(),
    Forecasts(),
    Labels(),
    Decisions(),
    Language(),
    Classes(),
    Number(),
)


def kind_of(signature: Signature) -> Kind:
    """Return what a model of this signature answers; without classes it is numbers, whatever their output is called.

    Examples
    --------
    >>> from aimass.models.package import Output
    >>> kind_of(Signature(inputs=(), outputs=(Output(name="value", type="float", shape=(-1,)),))).name
    'number'
    """
    return next(kind for kind in KINDS if kind.fits(signature))
