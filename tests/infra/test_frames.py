from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.infra.frames import FrameReader, Row, encode_frame, encode_row, pack
from aimass.kernel.errors import AimassError

TEXTS = st.lists(st.none() | st.text(max_size=20), min_size=1, max_size=30)
FLOATS = st.lists(st.floats(allow_nan=False), min_size=1, max_size=30)
WHOLE = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30)
COLUMNS = st.dictionaries(st.text(min_size=1, max_size=10), TEXTS | FLOATS | WHOLE, max_size=6)


def plain(values: Any) -> Any:
    return values.tolist() if isinstance(values, np.ndarray) else values


@given(st.lists(COLUMNS, min_size=1, max_size=4), st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_columns_come_out_as_they_went_in_however_the_stream_is_cut(
    parts: list[dict[str, Any]], cuts: list[int]
) -> None:
    stream = b"".join(encode_frame({"id": number}, pack(columns)) for number, columns in enumerate(parts))
    reader, found, start = FrameReader(), [], 0
    while start < len(stream):
        size = cuts[start % len(cuts)]
        found += reader.feed(stream[start : start + size])
        start += size
    assert [message.head["id"] for message in found] == list(range(len(parts)))
    assert [{n: plain(v) for n, v in message.columns.items()} for message in found] == parts


@given(st.lists(st.binary(max_size=60) | COLUMNS, min_size=1, max_size=6), st.integers(1, 90))
def test_packed_rows_and_columns_share_a_stream(parts: list[Any], size: int) -> None:
    stream = b"".join(
        encode_row(number, part, 1.5, is_alone=number == 1)
        if isinstance(part, bytes)
        else encode_frame({"id": number}, pack(part))
        for number, part in enumerate(parts)
    )
    reader = FrameReader()
    found = [message for start in range(0, len(stream), size) for message in reader.feed(stream[start : start + size])]
    for number, (message, part) in enumerate(zip(found, parts, strict=True)):
        if isinstance(message, Row):
            assert message == Row(number, part, 1.5, number == 1)
        else:
            assert {name: plain(values) for name, values in message.columns.items()} == part


@pytest.mark.parametrize("kind", ["?", "i1", "u8", "<f2", "<f4", "<f8"])
def test_arrays_keep_their_type_and_shape_without_a_copy(kind: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    (message,) = FrameReader().feed(encode_frame({}, pack({"a": array, "b": ["x"]})))
    found = message.columns["a"]
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.flags.aligned
    assert not found.flags.owndata
    assert (found == array).all()


def test_a_null_among_numbers_is_nan_and_whole_numbers_become_floats() -> None:
    (message,) = FrameReader().feed(encode_frame({}, pack({"a": [1, None, 3]})))
    assert message.columns["a"].dtype == np.float64
    assert np.isnan(message.columns["a"][1])


def test_text_of_two_dimensions_keeps_its_shape() -> None:
    (message,) = FrameReader().feed(encode_frame({}, pack({"a": np.array([["x", "é"], ["", "客户"]], dtype=object)})))
    assert message.columns["a"].tolist() == [["x", "é"], ["", "客户"]]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_a_part_of_one_or_refused(data: bytes) -> None:
    for stream in (data, struct.pack("<II", len(data) + 4, min(len(data), 20)) + data):
        try:
            FrameReader(max_bytes=1024).feed(stream)
        except (AimassError, ValueError, TypeError, KeyError):
            continue


def test_a_frame_over_the_limit_is_refused_before_it_is_held() -> None:
    with pytest.raises(AimassError, match="a frame of 4294967295 bytes"):
        FrameReader().feed(b"\xff" * 8)
