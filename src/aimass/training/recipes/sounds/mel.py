"""Log-mel pictures of sounds: how loud each band of hearing is, moment by moment.

A clip is cut into frames that overlap, each is weighed by a Hann window and goes through a Fourier transform; the powers are summed
by triangles that lie evenly on the mel scale of the HTK book (Young et al., "The HTK Book", 2006: ``2595 log10(1 + f / 700)``),
and the logarithm is taken. The scale of the samples is no matter: the unit is the root mean square of the training clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.signal import get_window

from aimass.kernel.errors import Invalid
from aimass.training.recipes.deep.written import Graph

FLOOR = 1e-4  # 40 dB below the mean of the training clips: what is quieter is silence
_AT_ONCE = 256
_LEAST_FRAMES = 8
_LEAST_SPREAD = 0.1  # about half a decibel: what changes less is rounding, and would become large


def mel_of(hertz: Any) -> Any:
    """Return where a frequency lies on the mel scale.

    Examples
    --------
    >>> round(float(mel_of(1000.0)), 2), round(float(mel_of(0.0)), 2)
    (999.99, 0.0)
    """
    return 2595.0 * np.log10(1.0 + np.asarray(hertz, dtype=float) / 700.0)


def hertz_of(mel: Any) -> Any:
    """Return the frequency at a place of the mel scale.

    Examples
    --------
    >>> round(float(hertz_of(mel_of(440.0))), 6)
    440.0
    """
    return 700.0 * (10.0 ** (np.asarray(mel, dtype=float) / 2595.0) - 1.0)


def triangles(bands: int, points: int, rate: int, low: float, high: float) -> Any:
    """Return how much each frequency of a transform of so many points counts in each band: rows are bands.

    A triangle rises from the centre of the band below to its own, where it is 1, and falls to that of the band above.

    Examples
    --------
    >>> triangles(2, 8, 8000, 0.0, 4000.0).round(2).tolist()
    [[0.0, 0.68, 0.0, 0.0, 0.0], [0.0, 0.32, 0.91, 0.45, 0.0]]
    """
    corners = hertz_of(np.linspace(mel_of(low), mel_of(high), bands + 2))
    found = np.arange(points // 2 + 1) * rate / points
    rising = (found - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - found) / np.diff(corners)[1:, None]
    return np.maximum(0.0, np.minimum(rising, falling))


@dataclass(frozen=True, kw_only=True)
class Ear:
    """How clips become pictures.

    Attributes
    ----------
    samples, rate
        Numbers of a clip, and how many of them are a second.
    frame, hop
        Samples of a frame, and from the begin of one to that of the next.
    bands, low, high
        Rows of a picture, and the frequencies that they cover, in hertz.
    unit
        Root mean square of the training clips.
    """

    samples: int
    rate: int
    frame: int
    hop: int
    bands: int
    low: float
    high: float
    unit: float = 1.0

    @property
    def moments(self) -> int:
        """Return the columns of a picture."""
        return 1 + (self.samples - self.frame) // self.hop

    @property
    def points(self) -> int:
        """Return the points of the transform: the power of two that holds a frame."""
        return 1 << (self.frame - 1).bit_length()

    @cached_property
    def window(self) -> Any:
        """Return the weights of a frame, scaled so that noise of one unit has the power 1 at each frequency."""
        weights: Any = get_window("hann", self.frame)
        return weights / np.sqrt((weights**2).sum()) / self.unit

    @cached_property
    def weights(self) -> Any:
        """Return how much each frequency counts in each band."""
        return triangles(self.bands, self.points, self.rate, self.low, self.high)

    def pictures(self, clips: Any) -> Any:
        """Return the pictures of clips: a row for each band, a column for each moment; 32 bit, as the graph has them."""
        return np.concatenate([self._some(clips[at : at + _AT_ONCE]) for at in range(0, max(len(clips), 1), _AT_ONCE)])

    def _some(self, clips: Any) -> Any:
        frames = np.lib.stride_tricks.sliding_window_view(clips, self.frame, axis=1)[:, :: self.hop]
        powers = np.abs(np.fft.rfft(frames * self.window, self.points, axis=2)) ** 2
        return np.log(powers @ self.weights.T + FLOOR).transpose(0, 2, 1).astype(np.float32)

    def basis(self) -> tuple[Any, Any]:
        """Return the transform as filters, and what sums their squares to bands: the frequencies that count in no band are left out."""
        used = np.flatnonzero(self.weights.any(axis=0))
        turns = 2 * np.pi * used[:, None] * np.arange(self.frame) / self.points
        filters = np.concatenate([np.cos(turns), np.sin(turns)]) * self.window
        return filters, np.concatenate([self.weights[:, used]] * 2, axis=1)

    def write(self, graph: Graph) -> None:
        """Write the way from clips to pictures at the end of a graph: two convolutions, so that every runtime has it."""
        filters, sums = self.basis()
        graph.add("Reshape", [np.array([-1, 1, self.samples])])
        wave = graph.add("Conv", [filters[:, None, :]], kernel_shape=[self.frame], strides=[self.hop])
        graph.add("Mul", inputs=[wave, wave])
        graph.add("Conv", [sums[:, :, None]], kernel_shape=[1])
        graph.add("Add", [np.array(FLOOR, dtype=np.float32)])
        graph.add("Log")


def ear_of(samples: int, params: Any) -> Ear:
    """Return how clips of so many samples are heard with these parameters, or say which of them do not go together."""
    rate = params.sample_rate
    high = min(params.high_hz, rate / 2)
    found = Ear(
        samples=samples,
        rate=rate,
        frame=round(rate * params.frame_ms / 1000),
        hop=max(1, round(rate * params.hop_ms / 1000)),
        bands=params.bands,
        low=params.low_hz,
        high=high,
    )
    if found.moments < _LEAST_FRAMES:
        raise Invalid(
            f"clips of {samples} samples are {samples / rate:.3g} s at {rate} a second: too short for {_LEAST_FRAMES} frames",
            field="params.sample_rate",
            value=rate,
            hint="name the rate at which the clips were taken, or take shorter frames",
        )
    if high <= params.low_hz:
        raise Invalid(
            f"no sound lies between {params.low_hz:g} and {high:g} hertz",
            field="params.low_hz",
            value=params.low_hz,
            hint="the highest frequency of a clip is half of its sample rate",
        )
    deaf = np.flatnonzero(~found.weights.any(axis=1))
    if len(deaf):
        raise Invalid(
            f"{len(deaf)} of {params.bands} bands are narrower than a frequency of a frame of {params.frame_ms:g} ms",
            field="params.bands",
            value=params.bands,
            hint="take fewer bands or longer frames",
        )
    return found


def unit_of(clips: Any) -> float:
    """Return the root mean square of clips; 1 where all of them are silent."""
    power = float(np.mean(np.square(clips, dtype=np.float64)))
    return float(np.sqrt(power)) or 1.0


def scale_of(pictures: Any) -> tuple[Any, Any]:
    """Return mean and spread of each band over training pictures; a band in which nothing is heard keeps its rounding small."""
    mean, spread = pictures.mean(axis=(0, 2), dtype=np.float64), pictures.std(axis=(0, 2), dtype=np.float64)
    return mean.astype(np.float32), np.maximum(spread, _LEAST_SPREAD).astype(np.float32)
