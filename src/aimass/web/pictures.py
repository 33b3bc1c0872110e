"""Pictures that came as lists of numbers, with boxes around what is in them, as pages show them."""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isqrt
from typing import Any

_USUAL = (1, 3, 4)
_LARGEST = 1 << 20  # numbers of a picture that a page draws
_KINDS = {1: 0, 3: 2, 4: 6}  # colours of a PNG file by channels: grey, colours, colours with an alpha
_WHITE = 255
FOUND = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxed:
    """An object in a picture; ``points`` are the key points that are to be seen."""

    label: str
    x: float
    y: float
    width: float
    height: float
    points: tuple[tuple[float, float], ...] = ()
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as a page draws it: a PNG file in an address, what was found in it, and what is there where that is known."""

    width: int
    height: int
    address: str
    found: list[Boxed]
    true: list[Boxed] | None = None


def picture_of(numbers: Any, found: Any, true: Any = None, shape: Mapping[str, Any] | None = None) -> Picture | None:
    """Draw a picture and what a JSON list says of it; None for what is no picture.

    Parameters
    ----------
    numbers
        The pixels in rows.
    found, true
        JSON lists of objects: what a model answered, of which the sure ones are shown, and what a dataset says.
    shape
        ``height``, ``width``, ``channels`` and ``order``, as far as they are known; a picture is square otherwise.

    Examples
    --------
    >>> shown = picture_of([0, 1, 0.5, 0], '[{"label": "dot", "x": 1, "y": 0, "width": 1, "height": 1, "score": 0.9}]')
    >>> shown.width, shown.height, shown.address[:22], shown.found[0].label
    (2, 2, 'data:image/png;base64,', 'dot')
    >>> picture_of([1, 2, 3, 5, 8], "[]") is None
    True
    """
    things = boxes_of(found)
    if things is None or not _is_plain(numbers):
        return None
    known = dict(shape or {})
    size = shape_for(len(numbers), known.get("height"), known.get("width"), known.get("channels"))
    if size is None or size[2] not in _KINDS:
        return None
    height, width, channels = size
    pixels = _pixels(numbers)
    if known.get("order") == "planes" and channels > 1:
        area = height * width
        pixels = bytes(pixels[plane * area + at] for at in range(area) for plane in range(channels))
    address = "data:image/png;base64," + b64encode(png_of(pixels, height, width, channels)).decode()
    sure = [one for one in things if one.score is None or one.score >= FOUND]
    return Picture(width=width, height=height, address=address, found=sure, true=boxes_of(true))


def _is_plain(numbers: Any) -> bool:
    return (
        isinstance(numbers, list)
        and 0 < len(numbers) <= _LARGEST
        and all(type(one) in (int, float) and isfinite(one) for one in numbers)
    )


def shape_for(length: int, height: int | None, width: int | None, channels: int | None) -> tuple[int, int, int] | None:
    """Return rows, columns and channels of so many numbers, as far as they are known; a square where they are not.

    Examples
    --------
    >>> shape_for(48, 4, None, None), shape_for(12, None, None, None), shape_for(12, None, 4, 1)
    ((4, 12, 1), (2, 2, 3), (3, 4, 1))
    """
    for each in _USUAL if channels is None else (channels,):
        area = length // each
        side = isqrt(area)
        tall = height or (area // width if width else side)
        wide = width or (area // height if height else side)
        if tall * wide * each == length:
            return tall, wide, each
    return None


def _pixels(numbers: Sequence[float]) -> bytes:
    """Return numbers as bytes: shares of white, bytes as they are, or from the least to the largest."""
    low, high = min(numbers), max(numbers)
    if low >= 0 and high <= _WHITE:
        scale, low = (_WHITE if high <= 1 else 1), 0
    else:
        scale = _WHITE / ((high - low) or 1)
    return bytes(round((one - low) * scale) for one in numbers)


def png_of(pixels: bytes, height: int, width: int, channels: int) -> bytes:
    """Return pixels as a PNG file."""
    line = width * channels
    rows = b"".join(b"\0" + pixels[row * line : (row + 1) * line] for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, _KINDS[channels], 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def boxes_of(written: Any) -> list[Boxed] | None:
    """Return the objects that a JSON list names; None for what is no list of them.

    Examples
    --------
    >>> boxes_of("[]"), boxes_of("yes") is None, boxes_of('[{"label": "a"}]') is None
    ([], True, True)
    """
    try:
        return [_boxed(one) for one in json.loads(written)]
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
        return None


def _boxed(one: Mapping[str, Any]) -> Boxed:
    points = tuple((_number(at[0]), _number(at[1])) for at in one.get("keypoints") or () if at is not None)
    score = None if one.get("score") is None else _number(one["score"])
    sides = {name: _number(one[name]) for name in ("x", "y", "width", "height")}
    return Boxed(label=str(one["label"]), **sides, points=points, score=score)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
