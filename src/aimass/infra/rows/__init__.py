"""One row of a table through an ONNX graph as cheaply as it goes: what prepares it folded away, its memory bound once.

The data plane runs graphs this way itself, or writes the memory of a row and sends it to a model worker that does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.rows.bound import BoundRow, inner, ready_tensors
    from aimass.infra.rows.folding import Cell, Folded, Vector, fold
    from aimass.infra.rows.packed import (
        MAX_FOLDED_BYTES,
        TRIED_ROWS,
        PackedRows,
        RowColumn,
        fold_to_numbers,
        made_up,
        pack_row,
        packed_rows,
    )
    from aimass.infra.rows.session import new_session, session_on

__getattr__, __dir__ = door(
    __name__,
    {
        "BoundRow": "aimass.infra.rows.bound",
        "Cell": "aimass.infra.rows.folding",
        "Folded": "aimass.infra.rows.folding",
        "MAX_FOLDED_BYTES": "aimass.infra.rows.packed",
        "PackedRows": "aimass.infra.rows.packed",
        "RowColumn": "aimass.infra.rows.packed",
        "TRIED_ROWS": "aimass.infra.rows.packed",
        "Vector": "aimass.infra.rows.folding",
        "fold": "aimass.infra.rows.folding",
        "fold_to_numbers": "aimass.infra.rows.packed",
        "inner": "aimass.infra.rows.bound",
        "made_up": "aimass.infra.rows.packed",
        "new_session": "aimass.infra.rows.session",
        "pack_row": "aimass.infra.rows.packed",
        "packed_rows": "aimass.infra.rows.packed",
        "ready_tensors": "aimass.infra.rows.bound",
        "session_on": "aimass.infra.rows.session",
    },
)
__all__ = [
    "MAX_FOLDED_BYTES",
    "TRIED_ROWS",
    "BoundRow",
    "Cell",
    "Folded",
    "PackedRows",
    "RowColumn",
    "Vector",
    "fold",
    "fold_to_numbers",
    "inner",
    "made_up",
    "new_session",
    "pack_row",
    "packed_rows",
    "ready_tensors",
    "session_on",
]
