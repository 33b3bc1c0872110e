"""Read ZIP archives that strangers made: whatever is wrong with one is told by a few kinds of errors."""

from __future__ import annotations

import lzma
import zlib
from typing import IO
from zipfile import BadZipFile

# zipfile tells a password by a RuntimeError, and a way of packing that it does not know by a NotImplementedError, which is one
UNREADABLE = (BadZipFile, EOFError, RuntimeError)


def read_packed(source: IO[bytes], size: int) -> bytes:
    """Read on in a file of an archive; a damaged stream is a :class:`zipfile.BadZipFile`, a disk that fails is not.

    Examples
    --------
    >>> import io
    >>> read_packed(io.BytesIO(b"abc"), 2)
    b'ab'
    """
    try:
        return source.read(size)
    except (zlib.error, lzma.LZMAError) as reason:
        raise BadZipFile(f"a file in it is damaged: {reason}") from reason
    except OSError as reason:
        if reason.errno is not None:  # of the system; what unpacks bz2 tells damage without a number
            raise
        raise BadZipFile(f"a file in it is damaged: {reason}") from reason
