"""The facts that the room tells."""

from __future__ import annotations

SOURCE_CREATED = "collector.source.created"
SOURCE_CHANGED = "collector.source.changed"
SOURCE_DELETED = "collector.source.deleted"
SOURCE_PINNED = "collector.source.pinned"
COLLECTION_STARTED = "collector.collection.started"
COLLECTION_SUCCEEDED = "collector.collection.succeeded"
COLLECTION_FAILED = "collector.collection.failed"
QUARANTINE_REPLAYED = "collector.quarantine.replayed"
ALL = (
    SOURCE_CREATED,
    SOURCE_CHANGED,
    SOURCE_DELETED,
    SOURCE_PINNED,
    COLLECTION_STARTED,
    COLLECTION_SUCCEEDED,
    COLLECTION_FAILED,
    QUARANTINE_REPLAYED,
)
