"""What the room tells."""

from __future__ import annotations

CREATED = "models.model.created"
CHANGED = "models.model.changed"
DELETED = "models.model.deleted"
REGISTERED = "models.version.registered"
PURGED = "models.model.purged"
VERSION_DELETED = "models.version.deleted"
REPACKAGED = "models.version.repackaged"
VERSION_PURGED = "models.version.purged"
SUBMITTED = "models.version.submitted"
QUARANTINED = "models.version.quarantined"
APPROVED = "models.version.approved"
REJECTED = "models.version.rejected"
CARD_CHANGED = "models.card.changed"
ALIAS_CHANGED = "models.alias.changed"
ALL = (
    CREATED,
    CHANGED,
    DELETED,
    REGISTERED,
    PURGED,
    VERSION_DELETED,
    REPACKAGED,
    VERSION_PURGED,
    SUBMITTED,
    QUARANTINED,
    APPROVED,
    REJECTED,
    CARD_CHANGED,
    ALIAS_CHANGED,
)
