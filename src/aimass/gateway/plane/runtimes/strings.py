"""A tiny ONNX graph that hands out strings as ready tensors.

onnxruntime makes tensors of text only inside a graph. This one gathers one of the given words, so that each category of
a model becomes a tensor once, when the model is loaded, and not with every request.
"""

from __future__ import annotations

_INT64, _STRING = 7, 8


def words_graph(words: list[str]) -> bytes:
    r"""Return the graph ``y = words[i]`` as ONNX bytes: ``i`` int64, ``y`` text of the same shape.

    Examples
    --------
    >>> words_graph(["No", "Yes"])[:2]
    b'\x08\x08'
    """
    tensor = (
        _number(1, len(words)) + _number(2, _STRING) + b"".join(_bytes(6, w.encode()) for w in words) + _bytes(8, b"w")
    )
    node = _bytes(1, b"w") + _bytes(1, b"i") + _bytes(2, b"y") + _bytes(4, b"Gather")
    graph = _bytes(1, node) + _bytes(2, b"words") + _bytes(5, tensor) + _bytes(11, _port(b"i", _INT64))
    graph += _bytes(12, _port(b"y", _STRING))
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _number(2, 18))


def _port(name: bytes, kind: int) -> bytes:
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, kind)))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:  # noqa: PLR2004 seven bits a byte
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes(field: int, payload: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(payload)) + payload


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _varint(value)
