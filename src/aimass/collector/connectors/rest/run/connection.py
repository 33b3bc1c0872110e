"""Paths of a REST API: sampled, read whole, or from a cursor on."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from aimass.collector.connectors.cursor import CURSOR, Highest, begin_of, cursor_of
from aimass.collector.connectors.messages import Parsed, Reading, batch_of, proposed, text_of
from aimass.collector.connectors.port import Part, Reject, StreamInfo, Wish
from aimass.collector.connectors.rest.manifest import RestParameters, RestStream
from aimass.collector.connectors.rest.run.asking import Answer, Asker
from aimass.collector.connectors.rest.run.pages import Page, Pager, Position
from aimass.collector.connectors.strict_json import DEEPEST, depth, too_deep
from aimass.kernel.clock import Clock, SystemClock
from aimass.kernel.errors import Invalid, NotFound, Unavailable

SAMPLE = 200
GOING = "going"


class RestConnection:
    """A connection to an API."""

    def __init__(self, parameters: RestParameters, clock: Clock | None = None) -> None:
        self._parameters = parameters
        self._clock: Clock = clock or SystemClock()
        self._asker = Asker(parameters, self._clock)

    def check(self) -> str:
        """Ask the path of the check, or the first one that is listed, or the address itself."""
        told = self._parameters
        path = told.check_path or (told.paths[0] if told.paths else "")
        try:
            answer = _end_of(self._asker.get(self._url(path), {}))
        except NotFound:
            if path:
                raise
            return f"{told.base_url} answers; there is nothing at the address itself"
        except Unavailable as reason:
            raise Unavailable(reason.message, field="base_url", value=told.base_url, hint=reason.hint) from None
        return f"{told.base_url} answers, {len(answer.body)} bytes"

    def _url(self, path: str) -> str:
        if "://" in path or path.startswith("//"):
            raise Invalid(f"{path!r} is no path under the address", field="stream", value=path, allowed="/orders")
        base = self._parameters.base_url.rstrip("/")
        return f"{base}/{path.lstrip('/')}" if path else self._parameters.base_url

    def discover(self) -> list[StreamInfo]:
        """Sample the paths that the connection lists."""
        return [self.describe(path, {}) for path in sorted(set(self._parameters.paths))]

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Sample the first page of a path."""
        told = RestStream.model_validate(dict(parameters))
        pager = Pager(told, exact=False)
        answer = _end_of(self._asker.get(self._url(stream), pager.params(pager.first)))
        rows = [row for row in self._page(pager, answer, pager.first).rows[:SAMPLE] if depth(row) <= DEEPEST]
        columns = proposed(batch_of(Parsed(rows=rows)))
        cursors = tuple(one.name for one in columns if one.type in ("timestamp", "integer", "date"))
        modes = ("full", "incremental") if cursors else ("full",)
        return StreamInfo(name=stream, columns=columns, cursors=cursors, modes=modes)

    @staticmethod
    def _page(pager: Pager, answer: Answer, position: Position) -> Page:
        try:
            return pager.read(answer, position)
        except ValueError as reason:
            body = answer.body.lstrip()
            shown = f": {body[:100].decode(errors='replace')!r}" if body.startswith(b"<") else ""  # a page, and no rows
            raise Unavailable(f"the API answered no JSON: {reason}{shown}") from None

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield the pages of a path; ``going`` in the state tells which page comes next."""
        walk = _Walk(wish, state, self._clock.now().astimezone(UTC))
        going = state.get(GOING)
        if going and wish.mode == "incremental" and not walk.is_range:
            walk.resume(going)
            try:
                yield from self._walked(wish, walk)
            except (NotFound, Invalid):
                if walk.pages:
                    raise
                walk = _Walk(wish, state, self._clock.now().astimezone(UTC))  # the mark has expired: begin again
            else:
                return
        yield from self._walked(wish, walk)

    def _walked(self, wish: Wish, walk: _Walk) -> Iterator[Part | None]:
        told, pager = walk.told, walk.pager
        seen: set[str] = set()
        while True:
            is_url = told.pagination in ("link", "next_url") and isinstance(walk.position, str)
            url = str(walk.position) if is_url else self._url(wish.stream)
            self._stays(url)
            asked = {} if is_url else {**pager.params(walk.position), **walk.since}
            answer = yield from self._asker.get(url, asked)
            page = self._page(pager, answer, walk.position)
            walk.pages += 1
            position = page.next
            if isinstance(position, str) and "://" in position:
                position = self._asker.without_key(position)
            _moves(seen, page.rows, answer.body, position, walk.pages, told.max_pages)
            walk.position = position
            yield walk.part(page.rows, len(answer.body))
            if walk.position is None or walk.is_enough:
                return

    def _stays(self, url: str) -> None:
        ours, theirs = urlsplit(self._parameters.base_url), urlsplit(url)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise Invalid(
                f"the next page lies at another host, {theirs.netloc!r}",
                field="stream_parameters.next_at",
                value=theirs.netloc,
                allowed=ours.netloc,
            )

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Do nothing: an API keeps nothing for its readers."""

    def close(self) -> None:
        """Close the connections."""
        self._asker.close()


class _Walk:
    """One reading: where it begins, which rows belong to it, and the state after each page."""

    def __init__(self, wish: Wish, state: Mapping[str, Any], now: datetime) -> None:
        self.told = RestStream.model_validate(dict(wish.parameters))
        self.pager = Pager(self.told, exact=Reading.of("json", wish.columns).exact)
        self.position: Position = self.pager.first
        self.pages = 0
        self.is_range = wish.since is not None or wish.until is not None
        self._wish = wish
        self._before = state.get(CURSOR) if wish.mode == "incremental" and not self.is_range else None
        self._now = now
        self._seen = Highest(wish.cursor_type, self._before, now=now) if wish.cursor else None
        begin = wish.since if self.is_range else None
        if wish.cursor and self._before is not None:
            begin = begin_of(wish.cursor_type, self._before, wish.lag_s)
        self._begin = begin
        self._left = wish.limit
        self.since = {}
        if self.told.since_param and begin is not None:
            self.since = {self.told.since_param: _written(begin, self.told.since_format)}

    def resume(self, going: Mapping[str, Any]) -> None:
        """Go on at a page; the cursor counts from where this walk began."""
        self.position = going["position"]
        if self._wish.cursor:
            self._seen = Highest(self._wish.cursor_type, going.get("highest"), now=self._now)

    @property
    def is_enough(self) -> bool:
        """Whether a preview has all its rows."""
        return self._left is not None and self._left <= 0

    def part(self, rows: list[dict[str, Any]], size: int) -> Part:
        """Make a part of the rows of a page that belong here."""
        kept = [row for row in rows if self._belongs(row)]
        if self._left is not None:
            kept = kept[: self._left]
            self._left -= len(kept)
        good = [row for row in kept if depth(row) <= DEEPEST]
        rejects = tuple(_reject(row) for row in kept if depth(row) > DEEPEST) if len(good) < len(kept) else ()
        return Part(rows=batch_of(Parsed(rows=good)), state=self._state(), rejects=rejects, size_bytes=size)

    def _belongs(self, row: Mapping[str, Any]) -> bool:
        wish = self._wish
        if not wish.cursor:
            return True
        value = row.get(wish.cursor)
        if value is None:
            return not self.is_range
        try:
            found = cursor_of(wish.cursor_type, value)
        except Invalid:
            return True  # the loader puts it aside, with its reason
        if self._seen is not None:
            self._seen.add(value)
        is_after = self._begin is None or found >= self._begin
        return is_after and (wish.until is None or found < wish.until)

    def _state(self) -> dict[str, Any]:
        highest = self._seen.state if self._seen else {}
        if self.position is None:
            return highest
        before = {} if self._before is None else {CURSOR: self._before}
        return {**before, GOING: {"position": self.position, "highest": highest.get(CURSOR)}}


def _reject(row: Mapping[str, Any]) -> Reject:
    """Put a row aside that nobody could write down, by those of its cells that can be."""
    told = {name: value for name, value in row.items() if depth(value) <= DEEPEST}
    return Reject(raw=str(text_of(told)), reason=too_deep())


def _moves(seen: set[str], rows: list[dict[str, Any]], body: bytes, position: Position, pages: int, most: int) -> None:
    """Stop where the pages do not move on: the same mark, or the same rows again."""
    marks = [f"mark {position}"] if position is not None else []
    if rows and position is not None:
        marks.append(f"page {hashlib.blake2b(body, digest_size=16).hexdigest()}")
    if any(mark in seen for mark in marks):
        raise Invalid(
            f"page {pages} came before: the pages of this API do not move on",
            field="stream_parameters.pagination",
            hint="look at pagination and the name of its parameter; nothing was lost, the next collection begins anew",
        )
    if pages >= most and position is not None:
        raise Invalid(
            f"there are more than {most} pages",
            field="stream_parameters.max_pages",
            value=most,
            hint="raise max_pages, or ask for larger pages",
        )
    seen.update(marks)


def _written(value: Any, form: str) -> str:
    if isinstance(value, datetime):
        if form == "iso":
            return value.isoformat().replace("+00:00", "Z")
        if form == "date":
            return value.date().isoformat()
        return str(int(value.timestamp() * (1000 if form == "milliseconds" else 1)))
    return value.isoformat() if isinstance(value, date) else str(value)


def _end_of(work: Generator[None, None, Answer]) -> Answer:
    """Run to the end, waiting."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
