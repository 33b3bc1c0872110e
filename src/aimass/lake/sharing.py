"""Shares and recipients: what leaves the platform by the Delta Sharing protocol, and to whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen, doc

from aimass.lake.domain import DatasetSlug, Workspace

ShareSlug = Annotated[str, MaxLen(63), doc("slug of the share")]
RecipientSlug = Annotated[str, MaxLen(63), doc("slug of the recipient")]
Shares = Annotated[list[str], doc("slugs of the shares that it may read")]
Days = Annotated[int | None, Ge(1), Le(3660), doc("age at which the token ends; 90 days if absent")]
Endpoint = Annotated[
    str | None, MaxLen(500), doc("address of the platform as the recipient reaches it; its public address if absent")
]
TOKEN_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTable:
    """A dataset as recipients see it.

    Attributes
    ----------
    namespace, name
        Where recipients find it, ``<share>.<namespace>.<name>``.
    history
        Whether they may read earlier versions, too.
    personal
        Whether somebody said that its columns with personal data go with it.
    """

    namespace: str
    name: str
    dataset: str
    history: bool = False
    personal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Tables under one name that are shared together."""

    id: str
    workspace: str
    slug: str
    description: str
    tables: list[SharedTable]
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody outside who reads shares with a bearer token.

    Attributes
    ----------
    expires_at
        When the token ends.
    grace_until
        Until when the token before the last rotation still counts.
    revoked_at
        When somebody took the token back.
    """

    id: str
    workspace: str
    slug: str
    name: str
    shares: list[str]
    expires_at: datetime
    grace_until: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientProfile:
    """What a recipient needs, told once: save ``profile`` as a file, and give it to the client."""

    recipient: str
    expires_at: datetime
    profile: dict[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateShare:
    """A share to create."""

    workspace: Workspace
    share: ShareSlug
    description: Annotated[str, MaxLen(20_000)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShare:
    """Which share is meant."""

    workspace: Workspace
    share: ShareSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareDataset:
    """A dataset to share."""

    workspace: Workspace
    share: ShareSlug
    dataset: DatasetSlug
    namespace: Annotated[str, MaxLen(63), doc("schema that recipients see")] = "default"
    name: Annotated[str | None, MaxLen(63), doc("name that recipients see; the slug if absent")] = None
    history: Annotated[bool, doc("earlier versions too")] = False
    personal: Annotated[bool, doc("columns with personal data go with it")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnshareTable:
    """A table to take out of a share."""

    workspace: Workspace
    share: ShareSlug
    namespace: Annotated[str, MaxLen(63), doc("schema that recipients see")]
    name: Annotated[str, MaxLen(63), doc("name that recipients see")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRecipient:
    """A recipient to create."""

    workspace: Workspace
    name: Annotated[str, MaxLen(255), doc("who it is")]
    shares: Shares = field(default_factory=list[str])
    days: Days = None
    endpoint: Endpoint = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRecipient:
    """Which recipient is meant."""

    workspace: Workspace
    recipient: RecipientSlug


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecipient:
    """Which shares a recipient may read from now on."""

    workspace: Workspace
    recipient: RecipientSlug
    shares: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateRecipient:
    """A new token for a recipient."""

    workspace: Workspace
    recipient: RecipientSlug
    days: Days = None
    endpoint: Endpoint = None
    grace_hours: Annotated[int, Ge(0), Le(720), doc("how long the old token counts beside the new one")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRead:
    """A read of a shared table by its recipient.

    Attributes
    ----------
    id
        Id of the dataset.
    number
        Number of the version; recipients know versions by it.
    told
        Schema, partition columns, sizes and files; see ``children.share``.
    copy
        Name of the copy that holds what policies leave for the recipient; empty where none counts.
    """

    id: str
    workspace: str
    dataset: str
    number: int
    told: dict[str, Any]
    copy: str = ""
