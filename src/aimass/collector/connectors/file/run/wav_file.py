"""Clips of sound: a WAV file, or a ZIP archive of them; each is a row with its samples as a list, as long as all others."""

from __future__ import annotations

import io
import wave
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, gcd
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from scipy.signal import resample_poly

from aimass.collector.connectors.file.plan import Plan
from aimass.collector.connectors.file.run.cast import LINE, TableReading
from aimass.collector.connectors.file.run.folder import Folder
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import Opening, Scan
from aimass.kernel.errors import Invalid
from aimass.kernel.unpacking import UNREADABLE
from aimass.lake import engine

COLUMNS: Mapping[str, Any] = {
    "path": pl.String,
    "label": pl.String,
    "_rate": pl.Int64,
    "_seconds": pl.Float64,
    "samples": pl.List(pl.Float64),
}
_TYPES = {"path": "string", "label": "string", "_rate": "integer", "_seconds": "float", "samples": "numbers"}
LONGEST = 65_536  # samples of a clip that is proposed: the longest list that models learn from
MOST_SAMPLES = 1_000_000
LOOKED_AT = 500
BATCH = 64
_BROKEN = (wave.Error, ValueError, *UNREADABLE)  # of one clip; a disk that fails ends the collection
_HALF = 128  # what silence is in samples of 8 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A clip as its file has it: samples from -1 to 1, of all channels the mean."""

    rate: int
    samples: Any

    @classmethod
    def read(cls, file: Any) -> Self:
        """Read a WAV file of whole numbers (PCM) of 8, 16, 24 or 32 bits."""
        with wave.open(file) as opened:
            width, channels = opened.getsampwidth(), opened.getnchannels()
            numbers = _numbers(opened.readframes(opened.getnframes()), width)
            whole = len(numbers) // channels * channels
            return cls(rate=opened.getframerate(), samples=numbers[:whole].reshape(-1, channels).mean(axis=1))

    def at(self, rate: int, count: int) -> list[float]:
        """Return so many samples at a rate: what is longer is cut, and what is shorter is silent at its end."""
        samples = self.samples
        if rate != self.rate and len(samples):
            common = gcd(rate, self.rate)
            samples = resample_poly(samples, rate // common, self.rate // common)
        found = np.zeros(count)
        found[: len(samples)] = samples[:count]
        return found.tolist()


def _numbers(raw: bytes, width: int) -> Any:
    """Return samples of so many bytes as fractions."""
    if width == 1:
        return (np.frombuffer(raw, dtype=np.uint8).astype(float) - _HALF) / _HALF
    whole = np.frombuffer(raw[: len(raw) // width * width], dtype=np.uint8).reshape(-1, width)
    wide = np.zeros((len(whole), 4), dtype=np.uint8)
    wide[:, 4 - width :] = whole
    return wide.view("<i4")[:, 0] / 2.0**31


def _folder(path: Path) -> Folder:
    return Folder(path, lambda name: name.lower().endswith(".wav"))


def _clip(folder: Folder, name: str) -> Clip:
    return Clip.read(io.BytesIO(folder.read(name)) if name else str(folder.path))


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[TableReading, Scan]]:
    """Open clips for one pass."""
    rate, count = _size(ask.plan)
    clips = _folder(ask.path)
    with engine(threads=1, spill=str(ask.work)) as con:
        reading = TableReading(con, ask.plan, lambda quarantine: _frames(clips, (rate, count), quarantine))
        yield reading, Scan.of_rows(ask.path.stat().st_size, len(clips.names))


def _size(plan: Plan) -> tuple[int, int]:
    """Return the rate of a plan and the samples of its clips."""
    count = ceil(plan.sample_rate * plan.clip_ms / 1000)
    if not 0 < count <= MOST_SAMPLES:
        raise Invalid(
            f"a clip of {plan.clip_ms} ms at {plan.sample_rate} samples a second has {count} samples",
            field="clip_ms",
            value=plan.clip_ms,
            allowed=f"1 to {MOST_SAMPLES:,} samples",
            hint="propose how the file is read again, and confirm sample_rate and clip_ms",
        )
    return plan.sample_rate, count


def _frames(clips: Folder, size: tuple[int, int], quarantine: Quarantine) -> Iterator[pl.DataFrame]:
    rows: list[tuple[Any, ...]] = []
    for number, name in enumerate(clips.names, start=1):
        try:
            clip = _clip(clips, name)
        except _BROKEN as reason:
            quarantine.add(name, number, "samples", _why(reason), "SYNTAX")
            continue
        seconds = len(clip.samples) / clip.rate
        rows.append((number, name or None, clips.label(name), clip.rate, seconds, clip.at(*size)))
        if len(rows) == BATCH:
            yield _frame(rows)
            rows = []
    yield _frame(rows)


def _why(reason: Exception) -> str:
    return f"this is no WAV file of whole numbers (PCM): {str(reason) or type(reason).__name__}"[:200]


def _frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, {LINE: pl.Int64, **COLUMNS}, orient="row")


def sniff(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose one rate and one length for all clips: the usual rate, and the longest of the first 500 clips."""
    clips = _folder(path)
    if not clips.names:
        raise Invalid("the archive holds no WAV files", field="file", hint="pack the folder of the clips")
    seen: list[Clip] = []
    faults: list[str] = []
    for name in clips.names[:LOOKED_AT]:
        try:
            seen.append(_clip(clips, name))
        except _BROKEN as reason:
            faults.append(_why(reason))
    if not any(len(clip.samples) for clip in seen):
        raise Invalid(
            faults[0] if faults else "the clips hold no samples", field="file", hint="write the clips as WAV of 16 bits"
        )
    rate = int(given.get("sample_rate") or Counter(clip.rate for clip in seen).most_common(1)[0][0])
    lengths = [len(clip.samples) / clip.rate * 1000 for clip in seen]
    longest = min(ceil(max(lengths)), LONGEST * 1000 // rate)
    clip_ms = int(given.get("clip_ms") or longest)
    columns = [
        {"name": name, "type": kind, "nullable": name in ("path", "label"), "examples": [], "misfits": 0}
        for name, kind in _TYPES.items()
    ]
    return {
        "format": "wav",
        "columns": columns,
        "sample_rate": rate,
        "clip_ms": clip_ms,
        "sampled_rows": len(seen),
        "whole": len(clips.names) <= LOOKED_AT,
        "notes": _told(lengths, clip_ms, sum(clip.rate != rate for clip in seen)),
    }


def _told(lengths: list[float], clip_ms: int, others: int) -> list[str]:
    """Say what happens to clips of other lengths and rates."""
    short, long = sum(one < clip_ms for one in lengths), sum(one > clip_ms for one in lengths)
    told = [f"{short} of {len(lengths)} clips are shorter than {clip_ms} ms and end in silence"] if short else []
    told += [f"{long} of {len(lengths)} clips are longer than {clip_ms} ms and are cut"] if long else []
    return told + ([f"{others} of {len(lengths)} clips have another rate and are resampled"] if others else [])
