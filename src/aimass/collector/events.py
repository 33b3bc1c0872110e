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
CONNECTION_CREATED = "collector.connection.created"
CONNECTION_CHANGED = "collector.connection.changed"
CONNECTION_DELETED = "collector.connection.deleted"
CONNECTION_CHECKED = "collector.connection.checked"
SOURCE_PAUSED = "collector.source.paused"
SOURCE_RESUMED = "collector.source.resumed"
SOURCE_DRIFTED = "collector.source.drifted"
DRIFT_PROPOSED = "collector.drift.proposed"
DRIFT_DECIDED = "collector.drift.decided"
HOOK_CHANGED = "collector.hook.changed"
HOOK_CLOSED = "collector.hook.closed"
ALL = (
    CONNECTION_CREATED,
    CONNECTION_CHANGED,
    CONNECTION_DELETED,
    CONNECTION_CHECKED,
    SOURCE_PAUSED,
    SOURCE_RESUMED,
    SOURCE_DRIFTED,
    DRIFT_PROPOSED,
    DRIFT_DECIDED,
    HOOK_CHANGED,
    HOOK_CLOSED,
    SOURCE_CREATED,
    SOURCE_CHANGED,
    SOURCE_DELETED,
    SOURCE_PINNED,
    COLLECTION_STARTED,
    COLLECTION_SUCCEEDED,
    COLLECTION_FAILED,
    QUARANTINE_REPLAYED,
)
