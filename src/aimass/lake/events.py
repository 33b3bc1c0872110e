"""The facts that the room tells."""

from __future__ import annotations

DATASET_CREATED = "lake.dataset.created"
DATASET_CHANGED = "lake.dataset.changed"
DATASET_DELETED = "lake.dataset.deleted"
DATASET_RESTORED = "lake.dataset.restored"
DATASET_PURGED = "lake.dataset.purged"
DATASET_ORDERED = "lake.dataset.ordered"
BRANCH_CREATED = "lake.branch.created"
BRANCH_MERGED = "lake.branch.merged"
VERSION_CREATED = "lake.version.created"
VERSION_CHANGED = "lake.version.changed"
VERSION_COLLECTED = "lake.version.collected"
QUALITY_FAILED = "lake.quality.failed"
QUALITY_CHECKED = "lake.quality.checked"
SUBJECT_ERASED = "lake.subject.erased"
VIEW_CREATED = "lake.feature_view.created"
VIEW_CHANGED = "lake.feature_view.changed"
VIEW_DELETED = "lake.feature_view.deleted"
TRAINING_SET_STARTED = "lake.training_set.started"
TRAINING_SET_BUILT = "lake.training_set.built"
TRAINING_SET_FAILED = "lake.training_set.failed"
MATERIALISING = "lake.features.materialising"
FEATURES_MATERIALISED = "lake.features.materialised"
MATERIALISING_FAILED = "lake.features.not_materialised"
FEATURES_COMPARED = "lake.features.compared"
FEATURES_SKEWED = "lake.features.skewed"
SHARE_CHANGED = "lake.share.changed"
RECIPIENT_CHANGED = "lake.recipient.changed"
POLICY_SET = "lake.policy.set"
POLICY_REMOVED = "lake.policy.removed"
QUERY_RAN = "lake.query.ran"
SAVED_QUERY_CREATED = "lake.saved_query.created"
SAVED_QUERY_CHANGED = "lake.saved_query.changed"
SAVED_QUERY_DELETED = "lake.saved_query.deleted"
MADE_VIEW_CREATED = "lake.view.created"
MADE_VIEW_CHANGED = "lake.view.changed"
MADE_VIEW_DELETED = "lake.view.deleted"
MADE_VIEW_REFRESHING = "lake.view.refreshing"
MADE_VIEW_REFRESHED = "lake.view.refreshed"
MADE_VIEW_FAILED = "lake.view.not_refreshed"
ALL = (
    DATASET_CREATED,
    DATASET_CHANGED,
    DATASET_DELETED,
    DATASET_RESTORED,
    DATASET_PURGED,
    DATASET_ORDERED,
    BRANCH_CREATED,
    BRANCH_MERGED,
    VERSION_CREATED,
    VERSION_CHANGED,
    VERSION_COLLECTED,
    QUALITY_FAILED,
    QUALITY_CHECKED,
    SUBJECT_ERASED,
    VIEW_CREATED,
    VIEW_CHANGED,
    VIEW_DELETED,
    TRAINING_SET_STARTED,
    TRAINING_SET_BUILT,
    TRAINING_SET_FAILED,
    MATERIALISING,
    FEATURES_MATERIALISED,
    MATERIALISING_FAILED,
    FEATURES_COMPARED,
    FEATURES_SKEWED,
    SHARE_CHANGED,
    RECIPIENT_CHANGED,
    POLICY_SET,
    POLICY_REMOVED,
    QUERY_RAN,
    SAVED_QUERY_CREATED,
    SAVED_QUERY_CHANGED,
    SAVED_QUERY_DELETED,
    MADE_VIEW_CREATED,
    MADE_VIEW_CHANGED,
    MADE_VIEW_DELETED,
    MADE_VIEW_REFRESHING,
    MADE_VIEW_REFRESHED,
    MADE_VIEW_FAILED,
)
