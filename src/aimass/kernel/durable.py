"""What has to be on disk before anybody is told that it is."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk: files that were made, renamed or removed in it stay so after a power loss.

    Parameters
    ----------
    folder
        It has to exist; what lies below its own folders is not looked at.

    Raises
    ------
    OSError
        The folder is not there, or the disk does not keep it.

    Examples
    --------
    >>> sync_folder(Path("/tmp"))
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
