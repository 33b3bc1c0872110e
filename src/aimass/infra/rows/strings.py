"""A tiny ONNX graph that hands out strings as ready tensors.

onnxruntime makes tensors of text only inside a graph. This one gathers one of the given words, so that each category of
a model becomes a tensor once, when the model is loaded, and not with every request.
"""

from __future__ import annotations

from aimass.infra.rows.protobuf import port, write_bytes, write_number

_INT64, _STRING = 7, 8


def words_graph(words: list[str]) -> bytes:
    r"""Return the graph ``y = words[i]`` as ONNX bytes: ``i`` int64, ``y`` text of the same shape.

    Examples
    --------
    >>> words_graph(["No", "Yes"])[:2]
    b'\x08\x08'
    """
    texts = b"".join(write_bytes(6, word.encode()) for word in words)
    tensor = write_number(1, len(words)) + write_number(2, _STRING) + texts + write_bytes(8, b"w")
    node = write_bytes(1, b"w") + write_bytes(1, b"i") + write_bytes(2, b"y") + write_bytes(4, b"Gather")
    graph = write_bytes(1, node) + write_bytes(2, b"words") + write_bytes(5, tensor)
    graph += write_bytes(11, port("i", _INT64)) + write_bytes(12, port("y", _STRING))
    return write_number(1, 8) + write_bytes(7, graph) + write_bytes(8, write_number(2, 18))
