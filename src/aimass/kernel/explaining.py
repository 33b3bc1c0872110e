"""Which outputs of a model can be explained: what the data plane answers to, and what a signature promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

WORTH = "rewards"
_DECISION = frozenset({"action", "propensity", "probabilities", WORTH})


def explained_outputs(outputs: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the outputs that can be explained with their classes; the one that is explained unasked comes first.

    One number a row can be, and one number for each class. A vector, a list of future values and a text cannot, nor the
    chance of a draw. Of a policy it is first what each action would bring: the chances say little, those of a policy that
    tries a share of its actions are the same wherever the same action is the best.

    Examples
    --------
    >>> label = {"name": "label", "type": "string", "shape": [-1]}
    >>> shares = {"name": "probabilities", "type": "float", "shape": [-1, 2], "classes": ["No", "Yes"]}
    >>> explained_outputs([label, shares])
    {'probabilities': ['No', 'Yes']}
    >>> explained_outputs([{"name": "embedding", "type": "float", "shape": [-1, 32]}])
    {}
    """
    told = {one["name"]: one for one in outputs}
    is_policy = told.keys() >= _DECISION
    found: dict[str, list[str]] = {
        name: list(one.get("classes") or []) for name, one in told.items() if _is_explained(one)
    }
    if is_policy:
        actions = found.get("probabilities", [])
        return {WORTH: actions, "probabilities": actions}
    return dict(sorted(found.items(), key=lambda item: not item[1]))


def _is_explained(output: Mapping[str, Any]) -> bool:
    width = len(output.get("shape") or (-1,))
    return output["type"] == "float" and (width == 2 if output.get("classes") else width == 1)  # noqa: PLR2004 rows, classes
