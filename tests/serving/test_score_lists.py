"""Scoring a dataset whose column holds lists, such as images, with a model that takes a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.kernel.errors import Invalid
from aimass.models import Column
from aimass.serving.children.feeds import Feeder
from aimass.serving.children.lists import tensor_of, texts_of
from aimass.serving.domain.scoring import map_inputs

IMAGE = Column(name="image", type="float", shape=(-1, 2, 2))


def test_lists_and_arrays_become_one_tensor_in_the_datatype_of_the_input() -> None:
    frame = pl.DataFrame({"pixels": [[1, 2, 3, 4], [5, 6, 7, 8]]})
    feeder = Feeder((IMAGE,), {"image": "pixels"}, None)
    for fed in (feeder.arrays(frame, 0), feeder.lists(frame, 0)):
        assert fed.values["image"].tolist() == [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]
        assert fed.values["image"].dtype == np.float32
    small = Column(name="image", type="integer", shape=(-1, 2), datatype="UINT8")
    assert tensor_of(small, pl.Series("p", [[0, 255]], dtype=pl.Array(pl.Int32, 2)), 0).dtype == np.uint8
    yes = Column(name="mask", type="boolean", shape=(-1, 2))
    assert tensor_of(yes, pl.Series("p", [[True, False]]), 0).tolist() == [[True, False]]
    assert tensor_of(IMAGE, pl.Series("p", [], dtype=pl.List(pl.Int8)), 0).shape == (0, 2, 2)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (None, "row 101: column 'pixels' holds no list of 4 numbers"),
        ([1.0], "row 101: column 'pixels' holds no list of 4 numbers"),
        ([1.0, 2.0, 3.0, None], "row 101: column 'pixels' holds a null or a number that is no FP32"),
        ([1.0, 2.0, 3.0, 1e39], "no FP32"),
        ([1.0, 2.0, 3.0, float("nan")], "no FP32"),
    ],
)
def test_a_cell_that_is_no_such_list_is_refused_with_its_row(cell: Any, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        tensor_of(IMAGE, pl.Series("pixels", [[1.0] * 4, cell]), 100)
    assert refused.value.field == "pixels"


@pytest.mark.parametrize("number", [256, -1, 0.5])
def test_a_number_that_a_datatype_does_not_hold_is_refused(number: float) -> None:
    small = Column(name="image", type="integer", shape=(-1, 1), datatype="UINT8")
    with pytest.raises(Invalid, match="no UINT8"):
        tensor_of(small, pl.Series("pixels", [[number]], dtype=pl.List(pl.Float64)), 0)


def test_a_column_of_other_cells_is_refused() -> None:
    with pytest.raises(Invalid, match="holds String, and input 'image' takes lists of float"):
        tensor_of(IMAGE, pl.Series("pixels", ["[1, 2, 3, 4]"]), 0)


@pytest.mark.parametrize(
    ("type_", "kind", "shape", "problem"),
    [
        ("float", "json", (-1, 8, 8), ""),
        ("float", "string", (-1, 8, 8), "input 'image' wants lists of 64 numbers, and column 'image' is string"),
        ("string", "json", (-1, 2), "input 'image' wants lists of 2 numbers, and column 'image' is json"),
        ("float", "json", (8, 8), "input 'image' is a tensor, and a dataset has columns"),
        ("float", "json", (-1, -1), "input 'image' is a tensor, and a dataset has columns"),
    ],
)
def test_the_plan_finds_lists_for_tensors_whose_rows_are_of_one_size(
    type_: Any, kind: str, shape: tuple[int, ...], problem: str
) -> None:
    one = Column(name="image", type=type_, shape=shape)
    assert map_inputs([one], {"image": kind}, {}, {})[0].problem == problem


def test_the_plan_tells_of_nulls_among_the_lists() -> None:
    found = map_inputs([IMAGE], {"image": "json"}, {"image": 2}, {})
    assert found[0].problem == "input 'image' may not be null, and column 'image' has 2 nulls"


def test_records_keep_short_lists_as_one_text_and_long_ones_by_their_length() -> None:
    assert texts_of(pl.Series([[1, 2], None])) == ["[1,2]", None]
    assert texts_of(pl.Series([[0.0] * 300])) == ["[300 numbers]"]
    assert texts_of(pl.Series(["a", None])) == ["a", None]
