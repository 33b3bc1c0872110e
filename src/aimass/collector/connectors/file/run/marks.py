"""By what files of pictures are told from others, without any library."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
IDX_PICTURES = re.compile(r"(.*)images[-.](idx[34])-?ubyte(\.gz)?", re.IGNORECASE)
UNSIGNED, GREY_SIZES, COLOUR_SIZES = 0x08, 3, 4
_OF_DOCUMENTS = ("[Content_Types].xml", "mimetype", "META-INF/MANIFEST.MF", "META-INF/container.xml")
_SIZE_AT = slice(2, 6)


def is_idx(head: bytes) -> bool:
    """Tell whether a file begins like one of MNIST's pictures: two zeros, whole numbers of 8 bits, three or four sizes.

    Examples
    --------
    >>> is_idx(bytes([0, 0, 8, 3, 0, 0, 0, 1])), is_idx(b"PK")
    (True, False)
    """
    return head[:3] == bytes([0, 0, UNSIGNED]) and len(head) > GREY_SIZES and head[3] in (GREY_SIZES, COLOUR_SIZES)


def is_bitmap(head: bytes, size: int) -> bool:
    """Tell whether a file is a BMP: its first letters might be those of a text, so it has to say its own size too.

    Examples
    --------
    >>> is_bitmap(b"BM" + (70).to_bytes(4, "little"), 70), is_bitmap(b"BMI,age", 70)
    (True, False)
    """
    return head.startswith(b"BM") and int.from_bytes(head[_SIZE_AT], "little") == size


def are_pictures(names: Iterable[str]) -> bool:
    """Tell whether an archive with such names is one of pictures, and no document that has some inside.

    Examples
    --------
    >>> are_pictures(["cats/a.png"]), are_pictures(["[Content_Types].xml", "word/media/a.png"])
    (True, False)
    """
    known = list(names)
    if any(one in _OF_DOCUMENTS for one in known):
        return False
    return any(one.lower().endswith(ENDINGS) or IDX_PICTURES.fullmatch(PurePosixPath(one).name) for one in known)
