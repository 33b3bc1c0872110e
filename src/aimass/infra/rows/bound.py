"""A session whose inputs and outputs are bound to memory once, so that a row costs no more than its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnxruntime

from aimass.infra.rows.folding import Folded
from aimass.infra.rows.session import new_session
from aimass.infra.rows.strings import words_graph

_UNTOUCHED = "\x00untouched"


class BoundRow:
    """A graph for one row with its memory; only one thread at a time may use it.

    Parameters
    ----------
    texts
        A ready tensor for each input that is still text.
    outputs
        The names of the label and of the probabilities.
    classes
        How many probabilities there are.

    Attributes
    ----------
    memory
        The numbers of the row, to be written before :attr:`run`.
    first
        The probabilities of the row that ran last.
    run
        Runs the row; returns the number of its label, or its text where the graph says no number.
    bind
        Binds a ready tensor to an input that is text.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        folded: Folded,
        texts: Mapping[str, Any],
        outputs: tuple[str, str],
        classes: int,
    ) -> None:
        binding = session.io_binding()
        self._bound = inner(binding, "_iobinding")
        self._run = inner(session, "_sess").run_with_iobinding
        self.bind = self._bound.bind_ortvalue_input
        self._bind_numbers(folded)
        for name, tensor in texts.items():
            self.bind(name, tensor)
        row = np.zeros((1, classes), dtype=np.float32)
        self.first = row[0]
        label, probabilities = outputs
        if folded.words is None:
            self._text = ready_tensors([_UNTOUCHED], (1,), is_raw=False)[_UNTOUCHED]
            binding.bind_ortvalue_output(label, self._text)
            self.run = _for_text(self._run, self._bound, self._text)
        else:
            self._number = np.zeros(1, dtype=np.int64)
            self._label = self._number.data
            binding.bind_ortvalue_output(label, onnxruntime.OrtValue.ortvalue_from_numpy(self._number))
            self.run = _for_number(self._run, self._bound, self._label)
        binding.bind_ortvalue_output(probabilities, onnxruntime.OrtValue.ortvalue_from_numpy(row))

    def _bind_numbers(self, folded: Folded) -> None:
        """Bind each vector to its part of the memory."""
        total = folded.cell_count
        self._block = np.zeros(total + 1, dtype=np.float32)
        self.memory = self._block.data.cast("B")[: 4 * total]
        start = 0
        for name, vector in folded.vectors.items():
            memory = self._block[start : start + len(vector.cells)].reshape(vector.shape)
            self.bind(name, inner(onnxruntime.OrtValue.ortvalue_from_numpy(memory), "_ortvalue"))
            start += len(vector.cells)


# These know their row no longer than they need to: a row that held its own method would hold its session until the next
# collection of circles, long after its model has left the memory.


def _for_number(run: Callable[..., Any], bound: Any, label: Any) -> Callable[[], int | str]:
    def run_for_number() -> int | str:
        run(bound, None)
        return label[0]

    return run_for_number


def _for_text(run: Callable[..., Any], bound: Any, text: Any) -> Callable[[], int | str]:
    def run_for_text() -> int | str:
        run(bound, None)
        return text.numpy()[0]

    return run_for_text


def ready_tensors(words: list[str], shape: tuple[int, ...], *, is_raw: bool = True) -> dict[str, Any]:
    """Return a tensor of text for each word."""
    session = new_session(words_graph(words))
    found: dict[str, Any] = {}
    for index, word in enumerate(words):
        place = onnxruntime.OrtValue.ortvalue_from_numpy(np.full(shape, index, dtype=np.int64))
        (tensor,) = session.run_with_ort_values(["y"], {"i": place})
        found[word] = inner(tensor, "_ortvalue") if is_raw else tensor
    return found


def inner(wrapper: Any, name: str) -> Any:
    """Return the object inside a thin wrapper of onnxruntime: calling through the wrapper costs as much as the call."""
    return getattr(wrapper, name)
