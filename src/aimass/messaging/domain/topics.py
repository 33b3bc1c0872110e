"""Topics and the messages on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, MaxLen, MinLen, doc

from aimass.kernel.errors import Invalid, TooLarge
from aimass.kernel.pages import MAX_LIMIT

MAX_BATCH = 1000
_WEEK_H = 168.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A named log of messages.

    ``messages`` counts what is kept now, ``last_seq`` is the number of the newest message ever seen.
    """

    id: str
    workspace: str
    topic: str
    title: str
    retention_h: float
    messages: int
    last_seq: int
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTopic:
    """A new topic."""

    workspace: str
    topic: Annotated[str, doc("slug of the topic")]
    title: Annotated[str, MaxLen(255), doc("what the topic is for")] = ""
    retention_h: Annotated[float, Gt(0), doc("hours for which messages are kept")] = _WEEK_H


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTopic:
    """What is to be changed at a topic; what is left out stays."""

    workspace: str
    topic: str
    title: Annotated[str | None, MaxLen(255), doc("what the topic is for")] = None
    retention_h: Annotated[float | None, Gt(0), doc("hours for which messages are kept")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTopics:
    """Which topics are wanted."""

    workspace: str
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicName:
    """Which topic is meant."""

    workspace: str
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message to be published.

    Messages with one ``key`` reach an ordered subscription one after the other. A second message with the ``id`` of a
    kept one is not published again. ``delay_s`` holds the message back.
    """

    body: Any
    key: Annotated[str, MaxLen(255)] = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delay_s: Annotated[float, Ge(0), Le(86400 * 30)] = 0.0
    id: Annotated[str | None, MaxLen(120)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishMessages:
    """Messages to be published together: all or none."""

    workspace: str
    topic: str
    messages: Annotated[list[NewMessage], MinLen(1), MaxLen(MAX_BATCH)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A message that is kept now; ``is_new`` is False when its id was known."""

    id: str
    seq: int
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMessages:
    """Which messages of a topic are wanted, oldest first."""

    workspace: str
    topic: str
    since: Annotated[datetime | None, doc("only messages published at or after this moment")] = None
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message on a topic."""

    seq: int
    id: str
    key: str
    time: datetime
    headers: Mapping[str, str]
    body: Any


def written(body: Any, most_bytes: int) -> str:
    """Return the body of a message as the text that is kept, or refuse it.

    Examples
    --------
    >>> written({"客户": 1}, 100)
    '{"客户":1}'
    """
    try:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as reason:
        raise Invalid(
            f"the body of a message is no JSON: {reason}", field="body", allowed="JSON without NaN"
        ) from reason
    size = len(text.encode(errors="surrogatepass"))
    if size > most_bytes:
        hint = "store the data in a dataset and send its name"
        raise TooLarge(
            f"a message of {size} bytes", field="body", value=size, allowed=f"at most {most_bytes} bytes", hint=hint
        )
    return text
