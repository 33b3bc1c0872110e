"""Policies in the document of a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aimass.kernel.errors import Invalid
from aimass.kernel.principal import Principal
from aimass.lake.commands import OneDataset
from aimass.lake.policies import EVERYONE, OnePolicy, SetPolicy
from aimass.lake.service.lake import Lake

_DEFAULTS: Mapping[str, Any] = {
    "filter": "",
    "columns": [],
    "mask": None,
    "keep": 4,
    "step": "",
    "applies_to": [EVERYONE],
    "exempt": [],
    "granted": {},
    "enabled": True,
}


def read_policies(documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return policies of a document whole and in order; refuse fields that a policy does not have.

    Examples
    --------
    >>> read_policies([{"name": "eu", "filter": "region = 'EU'"}])[0]["applies_to"]
    ['everyone']
    """
    allowed = ["name", *_DEFAULTS]
    for document in documents:
        strange = sorted(set(document) - set(allowed))
        if strange or "name" not in document:
            name = strange[0] if strange else "name"
            raise Invalid(f"a policy has no {name!r}", field=f"policies.{name}", value=name, allowed=allowed)
    return sorted(({**_DEFAULTS, **document} for document in documents), key=lambda policy: policy["name"])


def written_policies(lake: Lake, who: Principal, workspace: str, dataset: str) -> list[dict[str, Any]]:
    """Write the policies of a dataset for its document."""
    found = lake.list_policies(who, OneDataset(workspace=workspace, dataset=dataset))
    return [{"name": policy.name} | {name: getattr(policy, name) for name in _DEFAULTS} for policy in found]


def apply_policies(lake: Lake, who: Principal, one: OneDataset, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Set the policies that differ, and remove those that the document does not name."""
    present = {policy["name"]: policy for policy in written_policies(lake, who, one.workspace, one.dataset)}
    for policy in wanted:
        if present.pop(policy["name"], None) != policy:
            fields = {name: value for name, value in policy.items() if name != "name"}
            lake.set_policy(
                who, SetPolicy(workspace=one.workspace, dataset=one.dataset, policy=policy["name"], **fields)
            )
    for name in present:
        lake.remove_policy(who, OnePolicy(workspace=one.workspace, dataset=one.dataset, policy=name))
