"""What recipes that learn from one column of lists ask of a signature."""

from __future__ import annotations

from aimass.kernel.errors import Invalid
from aimass.models import Signature


def column_of(signature: Signature) -> tuple[str, int]:
    """Return name and length of the one column of lists, or refuse other columns beside it."""
    lists = [one for one in signature.inputs if one.shape is not None]
    if len(lists) != 1 or len(signature.inputs) != 1:
        raise Invalid(
            f"there are {len(lists)} columns of lists and {len(signature.inputs) - len(lists)} others to learn from",
            field="features",
            value=[one.name for one in signature.inputs][:20],
            allowed="one column of lists alone",
            hint="name that column in 'features'",
        )
    return lists[0].name, int((lists[0].shape or (-1, 0))[1])
