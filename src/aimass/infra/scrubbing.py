"""Take what names a person out of files: words in a text are overwritten where they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from aimass.kernel.erasing import Person, pattern

_TEXTS = (".json", ".ndjson", ".txt", ".log", ".1", ".csv", ".tsv", ".md", ".yaml", ".yml", ".toml", "")
_BLANK = "*"


def scrub_folder(folder: Path, person: Person) -> int:
    """Scrub every text below a folder, and remove every other file; return how many texts named the person."""
    changed = 0
    for file in sorted(folder.rglob("*")):
        if file.is_symlink() or not file.is_file():
            continue
        if file.suffix in _TEXTS:
            changed += scrub_text(file, person)
        else:
            file.unlink()
    return changed


def scrub_text(file: Path, person: Person) -> bool:
    """Overwrite what names a person in a text with as many stars; tell whether there was anything.

    Nothing moves, so a process that writes on at the end of the file is not disturbed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     log = Path(folder, "log.txt")
    ...     _ = log.write_text("row of ann@example.org is odd")
    ...     scrub_text(log, Person(erasure="e", values=("ann@example.org",))), log.read_text()
    (True, 'row of *************** is odd')
    """
    found = _pattern(person)
    if found is None:
        return False
    is_changed = False
    with file.open("r+b") as stream:
        for start, line in _lines(stream.read()):
            text = line.decode(errors="surrogateescape")
            clean = found.sub(lambda match: _BLANK * len(match[0].encode(errors="surrogateescape")), text)
            if clean != text:
                stream.seek(start)
                stream.write(clean.encode(errors="surrogateescape"))
                is_changed = True
    return is_changed


def names_in(file: Path, person: Person) -> bool:
    """Tell whether the bytes of a file name a person."""
    found = _pattern(person)
    return found is not None and found.search(file.read_bytes().decode(errors="replace")) is not None


def _pattern(person: Person) -> re.Pattern[str] | None:
    """Return what to look for: words as they are, and as JSON escapes letters."""
    if not person.words:
        return None
    escaped = {form for word in person.words if (form := json.dumps(word)[1:-1]) != word}
    return re.compile("|".join([pattern(person.words), *map(re.escape, sorted(escaped))]))


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    for line in data.splitlines(keepends=True):
        yield start, line
        start += len(line)
