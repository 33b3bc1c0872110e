"""Errors of the room messaging."""

from __future__ import annotations

from aimass.kernel.errors import Conflict


class TopicInUse(Conflict):
    """The topic still has subscriptions: delete them first."""

    code = "topic_in_use"
