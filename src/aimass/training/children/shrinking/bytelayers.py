"""Where bytes pay: the layers behind which products of bytes are faster than those of floats, found by trying.

Convolutions over few channels gain nothing by bytes: an image of one channel is copied nine times before it is multiplied,
where floats are read in place. Later layers, with more channels and smaller images, do; which of them, a processor decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime

from aimass.training.children.shrinking.integers import Feeds, static
from aimass.training.children.shrinking.layers import layers_of
from aimass.training.children.shrinking.timing import Predict, fastest_of
from aimass.training.errors import Uncompressible

_MOST_TRIED = 8
_BATCH = 256


def fastest(model: onnx.ModelProto, feeds: Feeds, *, ranges: str) -> onnx.ModelProto:
    """Multiply bytes in the last layers, as many as make a batch the fastest, and in one at least."""
    tried: list[onnx.ModelProto] = []
    for floats in starts(len(layers_of(model))):
        copied = onnx.ModelProto()
        copied.CopyFrom(model)
        try:
            tried.append(static(copied, feeds, ranges=ranges, floats=floats))
        except Uncompressible:  # of the layers that are left none can multiply bytes
            break
    if not tried:
        return static(model, feeds, ranges=ranges)  # says why not
    batch = {name: values[:_BATCH] for name, values in feeds.items()}
    return tried[fastest_of([_answers(one) for one in tried], batch)]


def starts(layers: int) -> list[int]:
    """Return how many layers go on with floats in each of the files to try: at even distances where there are many.

    Examples
    --------
    >>> starts(3), starts(21)
    ([0, 1, 2], [0, 3, 6, 9, 11, 14, 17, 20])
    """
    return [int(one) for one in np.unique(np.linspace(0, layers - 1, min(layers, _MOST_TRIED)).round())]


def _answers(model: onnx.ModelProto) -> Predict:
    """Return what answers rows as serving does: on one processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = {one.name for one in session.get_inputs()}

    def answer(columns: Mapping[str, Any]) -> Any:
        return session.run(None, {name: values for name, values in columns.items() if name in wanted})

    return answer
