"""One picture of a stranger: decoded within limits, turned upright, and brought to the size of all others."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Self

import numpy as np

from aimass.kernel.errors import MissingExtra

FORMATS = ("PNG", "JPEG", "BMP", "GIF")
MOST_PIXELS = 50_000_000
GREY, COLOUR = 1, 3
LETTERBOX, STRETCH = "letterbox", "stretch"
_DEEP = 257  # 65,535 of 16 bits is 255 of 8
_WHITE = (255, 255, 255, 255)
_ORIENTATION = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
_SWAPPED = 5  # from here on they swap width and height
# what Pillow raises on damaged bytes, which it has whole in memory: a disk that fails is none of these. NotImplementedError is how its
# decoders tell a variant of a format that they do not read
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AssertionError, EOFError)
_BROKEN += (struct.error, zlib.error, NotImplementedError)


class Unreadable(ValueError):
    """A file is no picture that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The size that all pictures get, and how: with borders that keep what is shown in proportion, or stretched."""

    width: int
    height: int
    channels: int
    fit: str = LETTERBOX

    @property
    def count(self) -> int:
        """Return how many numbers a picture is."""
        return self.width * self.height * self.channels

    def place(self, width: int, height: int) -> Place:
        """Return where a picture of a size lies in the frame."""
        if self.fit == STRETCH:
            return Place(x=0, y=0, width=self.width, height=self.height, of=(width, height))
        share = min(self.width / width, self.height / height)
        wide = min(self.width, max(1, round(width * share)))
        tall = min(self.height, max(1, round(height * share)))
        return Place(
            x=(self.width - wide) // 2, y=(self.height - tall) // 2, width=wide, height=tall, of=(width, height)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a picture lies in its frame: its corner, its size there, and the size ``of`` the picture as its file has it."""

    x: int
    y: int
    width: int
    height: int
    of: tuple[int, int]

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the picture lies in the frame.

        Examples
        --------
        >>> Frame(width=20, height=20, channels=1).place(40, 20).point(40, 10)
        (20.0, 10.0)
        """
        return self.x + x * self.width / self.of[0], self.y + y * self.height / self.of[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as its file has it, upright."""

    image: Any
    width: int
    height: int
    is_grey: bool

    @classmethod
    def read(cls, file: bytes, near: Frame | None = None, size: tuple[int, int] | None = None) -> Self:
        """Read a picture; of a photo not more than what ``near`` a frame is needed. Of what moves it is the first picture.

        Parameters
        ----------
        size
            What the size is said to be: a picture that has it is not turned as the camera says.

        Raises
        ------
        Unreadable
            It is damaged, of another format, or has too many pixels.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library warns of damage that it could read over
            try:
                return cls._decoded(file, near, size)
            except (*_BROKEN, _pillow().DecompressionBombError) as reason:
                raise Unreadable(f"{str(reason) or type(reason).__name__}"[:200]) from reason

    @classmethod
    def _decoded(cls, file: bytes, near: Frame | None, size: tuple[int, int] | None) -> Self:
        pillow = _pillow()
        image = pillow.open(io.BytesIO(file), formats=FORMATS)
        width, height = image.size
        if not 0 < width * height <= MOST_PIXELS:
            raise Unreadable(f"it has {width} x {height} pixels, and {MOST_PIXELS:,} are the most")
        if image.format == "PNG":
            image.verify()  # of its sums; the decoder alone makes a picture of torn ones
            image = pillow.open(io.BytesIO(file), formats=FORMATS)
        turn = 1 if size == (width, height) else image.getexif().get(_ORIENTATION, 1)
        if near is not None:
            image.draft(None, (2 * max(near.width, near.height),) * 2)
        image.load()
        image = _plain(image)
        if turn in _TURNS:
            image = image.transpose(pillow.Transpose[_TURNS[turn]])
            width, height = (height, width) if turn >= _SWAPPED else (width, height)
        return cls(image=image, width=width, height=height, is_grey=image.mode == "L")

    def numbers(self, frame: Frame) -> Any:
        """Return the numbers of the picture in a frame, row by row, those of a pixel side by side; borders are black."""
        place = self.place(frame)
        image = self.image.convert("L" if frame.channels == GREY else "RGB")
        if image.size != (place.width, place.height):
            image = image.resize((place.width, place.height), _pillow().Resampling.BILINEAR)
        found = np.zeros((frame.height, frame.width, frame.channels), dtype=np.uint8)
        pixels = np.asarray(image).reshape(place.height, place.width, frame.channels)
        found[place.y : place.y + place.height, place.x : place.x + place.width] = pixels
        return found.reshape(-1)

    def place(self, frame: Frame) -> Place:
        """Return where this picture lies in a frame."""
        return frame.place(self.width, self.height)


def of_array(pixels: Any) -> Picture:
    """Return a picture of rows of grey pixels, or of pixels of three numbers."""
    return Picture(
        image=_pillow().fromarray(pixels),
        width=pixels.shape[1],
        height=pixels.shape[0],
        is_grey=pixels.ndim == 2,  # noqa: PLR2004 rows
    )


def _pillow() -> Any:
    """Return the library that decodes pictures; who reads files of MNIST's form alone needs none."""
    try:
        return import_module("PIL.Image")
    except ImportError as reason:
        if (reason.name or "").partition(".")[0] != "PIL":
            raise
        raise MissingExtra("pictures") from reason


def _plain(image: Any) -> Any:
    """Return a picture of grey or of red, green and blue with 8 bits each; what one can see through lies on white."""
    if image.mode.startswith(("I", "F")):
        deep = np.clip(np.asarray(image, dtype=np.float64) / _DEEP, 0, 255)
        return _pillow().fromarray(np.round(deep).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        above = image.convert("RGBA")
        found = _pillow().alpha_composite(_pillow().new("RGBA", above.size, _WHITE), above).convert("RGB")
        return found.convert("L") if image.mode in ("LA", "La", "L", "1") else found
    return image.convert("L" if image.mode in ("L", "1") else "RGB")
