"""Pictures: a ZIP archive of folders, with annotations or without, or files of MNIST's form; each is a row of as many numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.collector.connectors.file.plan import POINTED, SEEN, Plan
from aimass.collector.connectors.file.run.cast import LINE, TableReading
from aimass.collector.connectors.file.run.coco import Noted, boxes_in, notes_of, tables_of
from aimass.collector.connectors.file.run.folder import Folder
from aimass.collector.connectors.file.run.idx import names_of, sets_of, size_of
from aimass.collector.connectors.file.run.marks import ENDINGS, is_idx
from aimass.collector.connectors.file.run.picture import (
    COLOUR,
    GREY,
    LETTERBOX,
    STRETCH,
    Frame,
    Picture,
    Unreadable,
    of_array,
)
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import Opening, Scan
from aimass.kernel.errors import Invalid
from aimass.kernel.unpacking import UNREADABLE
from aimass.lake import engine

LONGEST = 65_536  # numbers of a picture that is proposed: the longest list that models learn from
MOST_NUMBERS = 1_000_000
LARGEST_SIDE = 96  # of a picture that is proposed; who needs more says so
LOOKED_AT = 100
BATCH_BYTES = 8_000_000
MOST_BATCH = 256
_BOX = dict.fromkeys(("x", "y", "width", "height"), pl.Float64)
_BOXES: Mapping[str, Any] = {
    SEEN: pl.List(pl.Struct({"label": pl.String, **_BOX})),
    POINTED: pl.List(pl.Struct({"label": pl.String, **_BOX, "keypoints": pl.List(pl.Float64)})),
}
_FIRST: Mapping[str, Any] = {"file": pl.String, "_width": pl.Int64, "_height": pl.Int64}
_TYPES = {"file": "string", "_width": "integer", "_height": "integer", "image": "numbers", "label": "string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A picture in its frame, with what is known of it."""

    number: int
    file: str | None
    size: tuple[int, int]
    numbers: Any
    label: str | None = None
    boxes: list[dict[str, Any]] | None = None


class Pictures:
    """The pictures of a file, one by one.

    Parameters
    ----------
    path
        An archive, a picture, or a file of MNIST's form.
    """

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path, lambda name: name.lower().endswith(ENDINGS))
        with path.open("rb") as file:
            alone = is_idx(file.read(4))
        self.is_idx = alone or bool(names_of(self.folder))
        self.notes = notes_of(self.folder) if not self.is_idx and tables_of(self.folder) else None

    @property
    def names(self) -> list[str]:
        """Return the names of the pictures, those that annotations name where there are any."""
        return self.folder.names if self.notes is None else sorted(self.notes)

    @property
    def boxes(self) -> str | None:
        """Return the type of the column of boxes, None where there are no annotations."""
        if self.notes is None:
            return None
        is_pointed = any(one.points is not None for noted in self.notes.values() for one in noted.seen)
        return POINTED if is_pointed else SEEN

    def read(self, name: str, near: Frame | None = None) -> Picture:
        """Read one picture; what is said of it has to fit it."""
        noted = Noted() if self.notes is None else self.notes[name]
        if noted.wrong:
            raise Unreadable(noted.wrong)
        if name and not self.folder.has(name):
            raise Unreadable("the annotations name it, and it is not in the archive")
        found = Picture.read(self.folder.read(name), near, noted.size)
        if noted.size is not None and noted.size != (found.width, found.height):
            said = " x ".join(map(str, noted.size))
            raise Unreadable(
                f"the annotations say that it has {said} pixels, and it has {found.width} x {found.height}"
            )
        return found

    def rows(self, frame: Frame, kind: str | None, quarantine: Quarantine) -> Iterator[Row]:
        """Yield what can be read; the rest goes into the quarantine."""
        if self.is_idx:
            yield from self._of_sets(frame)
            return
        for number, name in enumerate(self.names, start=1):
            try:
                found = self.read(name, frame)
                numbers = found.numbers(frame)
            except (Unreadable, ValueError, *UNREADABLE) as reason:
                quarantine.add(name, number, "image", _why(reason), "SYNTAX")
                continue
            size = found.width, found.height
            if self.notes is None:
                yield Row(number=number, file=name or None, size=size, numbers=numbers, label=self.folder.label(name))
                continue
            boxes = boxes_in(self.notes[name], found.place(frame), with_points=kind == POINTED)
            yield Row(number=number, file=name, size=size, numbers=numbers, boxes=boxes)

    def _of_sets(self, frame: Frame) -> Iterator[Row]:
        number = 0
        for one in sets_of(self.folder):
            height, width = one.pictures.shape[1:3]
            for place, pixels in enumerate(one.pictures):
                number += 1
                label = None if one.labels is None else str(one.labels[place])
                numbers = pixels.reshape(-1) if _is_as_it_is(pixels, frame) else of_array(pixels).numbers(frame)
                file = f"{one.name}#{place}" if one.name else f"#{place}"
                yield Row(number=number, file=file, size=(width, height), numbers=numbers, label=label)


def _is_as_it_is(pixels: Any, frame: Frame) -> bool:
    return pixels.size == frame.count and pixels.shape[:2] == (frame.height, frame.width)


def _why(reason: Exception) -> str:
    return f"this is no picture that can be read: {str(reason) or type(reason).__name__}"[:300]


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[TableReading, Scan]]:
    """Open pictures for one pass."""
    frame, found = frame_of(ask.plan), Pictures(ask.path)
    kind = next((one.type for one in ask.plan.columns if one.type in _BOXES), None)
    with engine(threads=1, spill=str(ask.work)) as con:
        reading = TableReading(con, ask.plan, lambda quarantine: _frames(found, frame, kind, quarantine))
        yield reading, Scan.of_rows(ask.path.stat().st_size, len(found.names))


def frame_of(plan: Plan) -> Frame:
    """Return the size of a plan, or say what is wrong with it."""
    frame = Frame(width=plan.width, height=plan.height, channels=plan.channels, fit=plan.fit or LETTERBOX)
    for field, value, allowed in (
        ("channels", frame.channels, (GREY, COLOUR)),
        ("fit", frame.fit, (LETTERBOX, STRETCH)),
    ):
        if value not in allowed:
            raise Invalid(f"{field} {value!r} is unknown", field=field, value=value, allowed=list(allowed))
    if not 0 < frame.count <= MOST_NUMBERS:
        raise Invalid(
            f"a picture of {frame.width} x {frame.height} with {frame.channels} channels has {frame.count} numbers",
            field="width",
            value=frame.width,
            allowed=f"1 to {MOST_NUMBERS:,} numbers",
            hint="propose how the file is read again, and confirm width, height and channels",
        )
    return frame


def _frames(found: Pictures, frame: Frame, kind: str | None, quarantine: Quarantine) -> Iterator[pl.DataFrame]:
    most = max(1, min(MOST_BATCH, BATCH_BYTES // (8 * frame.count)))
    rows: list[Row] = []
    for row in found.rows(frame, kind, quarantine):
        rows.append(row)
        if len(rows) == most:
            yield _frame(rows, frame, kind)
            rows = []
    yield _frame(rows, frame, kind)


def _frame(rows: list[Row], frame: Frame, kind: str | None) -> pl.DataFrame:
    first = [(row.number, row.file, *row.size) for row in rows]
    told = pl.DataFrame(first, {LINE: pl.Int64, **_FIRST}, orient="row")
    numbers = np.array([row.numbers for row in rows], dtype=np.uint8).reshape(-1, frame.count)
    images = pl.Series("image", numbers, dtype=pl.Array(pl.UInt8, frame.count))
    last = (
        pl.Series("label", [row.label for row in rows], dtype=pl.String)
        if kind is None
        else pl.Series("boxes", [row.boxes for row in rows], dtype=_BOXES[kind])
    )
    return told.with_columns(images, last)


def sniff(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose one size for all pictures: the usual one, and smaller where it is large."""
    found = Pictures(path)
    sizes, are_grey, faults = _looked_at(found)
    if not sizes:
        why = faults[0] if faults else "the archive holds no pictures"
        raise Invalid(why, field="file", hint="pack folders of PNG, JPEG, BMP or GIF files, each of which is a class")
    width, height = _proposed(Counter(sizes).most_common(1)[0][0])
    plan = {
        "width": int(given.get("width") or width),
        "height": int(given.get("height") or height),
        "channels": int(given.get("channels") or (GREY if all(are_grey) else COLOUR)),
        "fit": str(given.get("fit") or LETTERBOX),
    }
    types = {**_TYPES} if found.boxes is None else {**_TYPES, "boxes": found.boxes}
    if found.boxes is not None:
        del types["label"]
    columns = [
        {"name": name, "type": kind, "nullable": name in ("file", "label"), "examples": [], "misfits": 0}
        for name, kind in types.items()
    ]
    return {
        "format": "pictures",
        "columns": columns,
        **plan,
        "sampled_rows": len(sizes),
        "whole": found.is_idx or len(found.names) <= LOOKED_AT,
        "notes": _told(sizes, are_grey, plan),
    }


def _looked_at(found: Pictures) -> tuple[list[tuple[int, int]], list[bool], list[str]]:
    """Return size and colour of the first pictures, and what is wrong with others."""
    if found.is_idx:
        width, height, channels = size_of(found.folder)
        return [(width, height)], [channels == GREY], []
    sizes: list[tuple[int, int]] = []
    are_grey: list[bool] = []
    faults: list[str] = []
    near = Frame(width=LARGEST_SIDE, height=LARGEST_SIDE, channels=COLOUR)
    for name in found.names[:LOOKED_AT]:
        try:
            one = found.read(name, near)
        except (Unreadable, ValueError, *UNREADABLE) as reason:
            faults.append(_why(reason))
            continue
        sizes.append((one.width, one.height))
        are_grey.append(one.is_grey)
    return sizes, are_grey, faults


def _proposed(size: tuple[int, int]) -> tuple[int, int]:
    """Return a size that a small net learns from, in the proportions of another one.

    Examples
    --------
    >>> _proposed((28, 28)), _proposed((1920, 1080))
    ((28, 28), (96, 54))
    """
    share = min(1.0, LARGEST_SIDE / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def _told(sizes: list[tuple[int, int]], are_grey: list[bool], plan: Mapping[str, Any]) -> list[str]:
    """Say what happens to pictures of other sizes and colours."""
    width, height = int(plan["width"]), int(plan["height"])
    others = sum(one != (width, height) for one in sizes)
    odd = sum(one[0] * height != one[1] * width for one in sizes)
    told = (
        [f"{others} of {len(sizes)} pictures have another size and are brought to {width} x {height}"] if others else []
    )
    if odd:
        done = "are stretched" if plan["fit"] == STRETCH else "get black borders"
        told.append(f"{odd} of {len(sizes)} pictures have other proportions and {done}")
    if plan["channels"] == GREY and not all(are_grey):
        told.append(f"{sum(not one for one in are_grey)} of {len(sizes)} pictures have colours and become grey")
    if width * height * int(plan["channels"]) > LONGEST:
        told.append(f"models learn from lists of {LONGEST} numbers at most; ask for a smaller width and height")
    return told
