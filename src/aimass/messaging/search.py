"""How topics and schedules are found."""

from __future__ import annotations

from aimass.infra.search import Document
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.kernel.registry import Registry
from aimass.messaging.domain.schedules import ScheduleName
from aimass.messaging.domain.topics import TopicName
from aimass.messaging.service import Messaging


def document(registry: Registry, workspace: str, subject: str) -> Document | None:
    """Return how a topic or a schedule is found, or None when it is gone."""
    kind, _, name = subject.partition(":")
    messaging = registry.get(Messaging)
    try:
        if kind == "topic":
            topic = messaging.get_topic(SYSTEM, TopicName(workspace=workspace, topic=name))
            title, text, href = topic.topic, topic.title, f"/{workspace}/operate/queues/{name}"
        elif kind == "schedule":
            schedule = messaging.get_schedule(SYSTEM, ScheduleName(workspace=workspace, schedule=name))
            title, text, href = schedule.name, f"{name} {schedule.cron}", f"/{workspace}/work/schedules/{name}"
        else:
            return None
    except NotFound:
        return None
    return Document(
        workspace=workspace, key=subject, kind=kind, title=title, text=text, href=href, permission="messaging.read"
    )
