"""The facts that the room tells."""

from __future__ import annotations

DATASET_CREATED = "lake.dataset.created"
DATASET_CHANGED = "lake.dataset.changed"
DATASET_DELETED = "lake.dataset.deleted"
DATASET_RESTORED = "lake.dataset.restored"
DATASET_PURGED = "lake.dataset.purged"
VERSION_CREATED = "lake.version.created"
VERSION_CHANGED = "lake.version.changed"
VERSION_COLLECTED = "lake.version.collected"
QUALITY_FAILED = "lake.quality.failed"
QUALITY_CHECKED = "lake.quality.checked"
SUBJECT_ERASED = "lake.subject.erased"
ALL = (
    DATASET_CREATED,
    DATASET_CHANGED,
    DATASET_DELETED,
    DATASET_RESTORED,
    DATASET_PURGED,
    VERSION_CREATED,
    VERSION_CHANGED,
    VERSION_COLLECTED,
    QUALITY_FAILED,
    QUALITY_CHECKED,
    SUBJECT_ERASED,
)
