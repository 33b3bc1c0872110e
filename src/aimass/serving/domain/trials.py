"""What an endpoint takes, and what it says to one row that somebody tries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, doc

from aimass.serving.domain.commands import EndpointSlug, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSignature:
    """Whose inputs are wanted."""

    workspace: Workspace
    endpoint: EndpointSlug
    sample: Annotated[int, Ge(0), doc("which of the model's sample rows gives the examples; counted from 0")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input: its type, what it may be, and a value of a sample row.

    Attributes
    ----------
    categories
        The values that the model knows, or None where any value is possible.
    unseen
        What happens with a category that the model does not know: ``serve`` or ``refuse``.
    shape, datatype
        Of an input that is a tensor: its sizes, -1 where any is welcome, and its datatype; None for a column of a table.
    """

    name: str
    type: str
    nullable: bool
    categories: list[str] | None
    unseen: str
    example: Any
    shape: list[int] | None = None
    datatype: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSignature:
    """What the main deployment of an endpoint takes and answers; ``samples`` rows of the model can be tried.

    Attributes
    ----------
    streams
        The model answers piece by piece, and takes parameters that choose how.
    explains
        What each input of a row contributed can be asked.
    """

    endpoint: str
    model: str
    model_version: int
    inputs: list[Input]
    classes: list[str]
    samples: int
    streams: bool = False
    explains: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TryEndpoint:
    """Send one row to an endpoint through the gateway, as yourself."""

    workspace: Workspace
    endpoint: EndpointSlug
    row: Annotated[Mapping[str, Any], doc("a value for each input; a missing one is null")]
    parameters: Annotated[Mapping[str, Any], doc("what the model lets be chosen, such as max_tokens")] = field(
        default_factory=dict[str, Any]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the endpoint answered.

    Attributes
    ----------
    probabilities
        By class, where the model gives them.
    latency_ms
        From sending to the whole answer, through the gateway.
    revision, number
        Id and number of the revision that answered.
    """

    request_id: str
    label: Any
    probabilities: Mapping[str, float] = field(default_factory=dict[str, float])
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    latency_ms: float
    deployment: str
    revision: str
    number: int
    model: str
    model_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainRow:
    """Ask what each input of one row contributed, through the gateway, as yourself."""

    workspace: Workspace
    endpoint: EndpointSlug
    row: Annotated[Mapping[str, Any], doc("a value for each input; a missing one is null")]
    target: Annotated[
        str | None,
        doc(
            "the class to explain; of two the second when absent, of more the one that the row got, of actions the best"
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowExplanation:
    """What each input contributed.

    Attributes
    ----------
    shares, errors
        By input, the largest first: the contribution and its standard error; the shares add up to ``value - base``.
    base, value
        What the model says on average of the samples that its package carries, and of this row.
    target
        The class whose probability is explained, or the action whose reward is; None for a model that answers a number.
    output
        What is explained: ``probabilities``, ``rewards`` (what each action of a policy would bring), or a number.
    """

    shares: Mapping[str, float]
    errors: Mapping[str, float]
    base: float
    value: float
    target: str | None
    output: str
    classes: list[str]
    request_id: str
    latency_ms: float
    deployment: str
    revision: str
    number: int
    model: str
    model_version: int
