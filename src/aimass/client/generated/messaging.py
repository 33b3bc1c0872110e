"""Methods of messaging. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aimass.client.calls import AsyncCalls, Calls
from aimass.client.generated.messaging_types import (
    DeadLetter,
    Delivery,
    JobAction,
    Message,
    MessageAction,
    NewMessage,
    Published,
    Schedule,
    Settled,
    Subscription,
    Topic,
)
from aimass.kernel.pages import Page


class MessagingCalls(Calls):
    """Operations of messaging."""

    def ack(self, *, topic: str, subscription: str, receipts: list[str], workspace: str | None = None) -> Settled:
        """Say that messages are dealt with."""
        return self._call(
            "messaging.ack",
            {"topic": topic, "subscription": subscription, "receipts": receipts, "workspace": workspace},
            Settled,
        )

    def change_schedule(
        self,
        *,
        schedule: str,
        workspace: str | None = None,
        cron: str | None = None,
        zone: str | None = None,
        missed: Literal["skip", "once", "all"] | None = None,
        job: JobAction | None = None,
        message: MessageAction | None = None,
        expected_version: int | None = None,
    ) -> Schedule:
        """Change when a schedule fires or what it does."""
        return self._call(
            "messaging.change_schedule",
            {
                "schedule": schedule,
                "workspace": workspace,
                "cron": cron,
                "zone": zone,
                "missed": missed,
                "job": job,
                "message": message,
                "expected_version": expected_version,
            },
            Schedule,
        )

    def change_topic(
        self,
        *,
        topic: str,
        workspace: str | None = None,
        title: str | None = None,
        retention_h: float | None = None,
        expected_version: int | None = None,
    ) -> Topic:
        """Change the title or the retention of a topic."""
        return self._call(
            "messaging.change_topic",
            {
                "topic": topic,
                "workspace": workspace,
                "title": title,
                "retention_h": retention_h,
                "expected_version": expected_version,
            },
            Topic,
        )

    def create_schedule(
        self,
        *,
        name: str,
        cron: str,
        workspace: str | None = None,
        zone: str | None = None,
        missed: Literal["skip", "once", "all"] | None = None,
        job: JobAction | None = None,
        message: MessageAction | None = None,
        is_paused: bool | None = None,
    ) -> Schedule:
        """Create a schedule that starts a job or publishes a message."""
        return self._call(
            "messaging.create_schedule",
            {
                "name": name,
                "cron": cron,
                "workspace": workspace,
                "zone": zone,
                "missed": missed,
                "job": job,
                "message": message,
                "is_paused": is_paused,
            },
            Schedule,
        )

    def create_subscription(
        self,
        *,
        topic: str,
        subscription: str,
        workspace: str | None = None,
        start: Literal["begin", "end"] | None = None,
        lease_s: float | None = None,
        max_tries: int | None = None,
        is_ordered: bool | None = None,
    ) -> Subscription:
        """Create a subscription of a topic."""
        return self._call(
            "messaging.create_subscription",
            {
                "topic": topic,
                "subscription": subscription,
                "workspace": workspace,
                "start": start,
                "lease_s": lease_s,
                "max_tries": max_tries,
                "is_ordered": is_ordered,
            },
            Subscription,
        )

    def create_topic(
        self, *, topic: str, workspace: str | None = None, title: str | None = None, retention_h: float | None = None
    ) -> Topic:
        """Create a topic."""
        return self._call(
            "messaging.create_topic",
            {"topic": topic, "workspace": workspace, "title": title, "retention_h": retention_h},
            Topic,
        )

    def delete_schedule(self, *, schedule: str, workspace: str | None = None) -> None:
        """Delete a schedule."""
        return self._call("messaging.delete_schedule", {"schedule": schedule, "workspace": workspace}, None)

    def delete_subscription(self, *, topic: str, subscription: str, workspace: str | None = None) -> None:
        """Delete a subscription with its place and its dead letters."""
        return self._call(
            "messaging.delete_subscription",
            {"topic": topic, "subscription": subscription, "workspace": workspace},
            None,
        )

    def delete_topic(self, *, topic: str, workspace: str | None = None) -> None:
        """Delete a topic without subscriptions, and its messages."""
        return self._call("messaging.delete_topic", {"topic": topic, "workspace": workspace}, None)

    def get_dead_letter(self, *, letter: str, workspace: str | None = None) -> DeadLetter:
        """Show a dead letter with its message and the last error."""
        return self._call("messaging.get_dead_letter", {"letter": letter, "workspace": workspace}, DeadLetter)

    def get_schedule(self, *, schedule: str, workspace: str | None = None) -> Schedule:
        """Show a schedule and the next times at which it fires."""
        return self._call("messaging.get_schedule", {"schedule": schedule, "workspace": workspace}, Schedule)

    def get_subscription(self, *, topic: str, subscription: str, workspace: str | None = None) -> Subscription:
        """Show a subscription: how much waits, is in flight and is dead."""
        return self._call(
            "messaging.get_subscription",
            {"topic": topic, "subscription": subscription, "workspace": workspace},
            Subscription,
        )

    def get_topic(self, *, topic: str, workspace: str | None = None) -> Topic:
        """Show a topic."""
        return self._call("messaging.get_topic", {"topic": topic, "workspace": workspace}, Topic)

    def list_dead_letters(
        self,
        *,
        workspace: str | None = None,
        topic: str | None = None,
        subscription: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[DeadLetter]:
        """List dead letters, newest first."""
        return self._call(
            "messaging.list_dead_letters",
            {"workspace": workspace, "topic": topic, "subscription": subscription, "limit": limit, "cursor": cursor},
            Page[DeadLetter],
        )

    def list_messages(
        self,
        *,
        topic: str,
        workspace: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Message]:
        """Look at the messages of a topic, oldest first, without taking any."""
        return self._call(
            "messaging.list_messages",
            {"topic": topic, "workspace": workspace, "since": since, "limit": limit, "cursor": cursor},
            Page[Message],
        )

    def list_schedules(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Schedule]:
        """List schedules by name, each with the next times at which it fires."""
        return self._call(
            "messaging.list_schedules", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Schedule]
        )

    def list_subscriptions(
        self, *, topic: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Subscription]:
        """List the subscriptions of a topic by name."""
        return self._call(
            "messaging.list_subscriptions",
            {"topic": topic, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[Subscription],
        )

    def list_topics(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Topic]:
        """List the topics by name."""
        return self._call(
            "messaging.list_topics", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Topic]
        )

    def nack(
        self,
        *,
        topic: str,
        subscription: str,
        receipts: list[str],
        workspace: str | None = None,
        delay_s: float | None = None,
        error: str | None = None,
    ) -> Settled:
        """Give messages back: they come again after the delay, or become dead letters when tried often enough."""
        return self._call(
            "messaging.nack",
            {
                "topic": topic,
                "subscription": subscription,
                "receipts": receipts,
                "workspace": workspace,
                "delay_s": delay_s,
                "error": error,
            },
            Settled,
        )

    def pause_schedule(self, *, schedule: str, workspace: str | None = None) -> Schedule:
        """Let a schedule rest; what it would have done meanwhile is not made up for."""
        return self._call("messaging.pause_schedule", {"schedule": schedule, "workspace": workspace}, Schedule)

    def preview_cron(
        self, *, cron: str, workspace: str | None = None, zone: str | None = None, count: int | None = None
    ) -> list[datetime]:
        """Show the next times at which a cron expression would fire."""
        return self._call(
            "messaging.preview_cron",
            {"cron": cron, "workspace": workspace, "zone": zone, "count": count},
            list[datetime],
        )

    def publish(self, *, topic: str, messages: list[NewMessage], workspace: str | None = None) -> list[Published]:
        """Publish messages, all or none; they are kept when this returns."""
        return self._call(
            "messaging.publish", {"topic": topic, "messages": messages, "workspace": workspace}, list[Published]
        )

    def pull(
        self,
        *,
        topic: str,
        subscription: str,
        workspace: str | None = None,
        limit: int | None = None,
        wait_s: float | None = None,
    ) -> list[Delivery]:
        """Take messages for the time of a lease; wait for the first one as long as asked."""
        return self._call(
            "messaging.pull",
            {"topic": topic, "subscription": subscription, "workspace": workspace, "limit": limit, "wait_s": wait_s},
            list[Delivery],
        )

    def purge_dead_letters(
        self, *, topic: str, subscription: str, workspace: str | None = None, letters: list[str] | None = None
    ) -> Settled:
        """Let dead letters go for good, all or those that are named."""
        return self._call(
            "messaging.purge_dead_letters",
            {"topic": topic, "subscription": subscription, "workspace": workspace, "letters": letters},
            Settled,
        )

    def replay_dead_letters(
        self, *, topic: str, subscription: str, workspace: str | None = None, letters: list[str] | None = None
    ) -> Settled:
        """Deliver dead letters to their subscription again, all or those that are named."""
        return self._call(
            "messaging.replay_dead_letters",
            {"topic": topic, "subscription": subscription, "workspace": workspace, "letters": letters},
            Settled,
        )

    def resume_schedule(self, *, schedule: str, workspace: str | None = None) -> Schedule:
        """Let a schedule fire again."""
        return self._call("messaging.resume_schedule", {"schedule": schedule, "workspace": workspace}, Schedule)

    def run_schedule(self, *, schedule: str, workspace: str | None = None) -> Schedule:
        """Let a schedule fire now, beside its plan."""
        return self._call("messaging.run_schedule", {"schedule": schedule, "workspace": workspace}, Schedule)

    def seek_subscription(
        self,
        *,
        topic: str,
        subscription: str,
        workspace: str | None = None,
        seq: int | None = None,
        time: datetime | None = None,
        to: Literal["begin", "end"] | None = None,
    ) -> Subscription:
        """Let a subscription go on from another place: a number, a moment, the begin or the end."""
        return self._call(
            "messaging.seek_subscription",
            {"topic": topic, "subscription": subscription, "workspace": workspace, "seq": seq, "time": time, "to": to},
            Subscription,
        )


class AsyncMessagingCalls(AsyncCalls):
    """Operations of messaging, for asyncio."""

    async def ack(self, *, topic: str, subscription: str, receipts: list[str], workspace: str | None = None) -> Settled:
        """Say that messages are dealt with."""
        return await self._call(
            "messaging.ack",
            {"topic": topic, "subscription": subscription, "receipts": receipts, "workspace": workspace},
            Settled,
        )

    async def change_schedule(
        self,
        *,
        schedule: str,
        workspace: str | None = None,
        cron: str | None = None,
        zone: str | None = None,
        missed: Literal["skip", "once", "all"] | None = None,
        job: JobAction | None = None,
        message: MessageAction | None = None,
        expected_version: int | None = None,
    ) -> Schedule:
        """Change when a schedule fires or what it does."""
        return await self._call(
            "messaging.change_schedule",
            {
                "schedule": schedule,
                "workspace": workspace,
                "cron": cron,
                "zone": zone,
                "missed": missed,
                "job": job,
                "message": message,
                "expected_version": expected_version,
            },
            Schedule,
        )

    async def change_topic(
        self,
        *,
        topic: str,
        workspace: str | None = None,
        title: str | None = None,
        retention_h: float | None = None,
        expected_version: int | None = None,
    ) -> Topic:
        """Change the title or the retention of a topic."""
        return await self._call(
            "messaging.change_topic",
            {
                "topic": topic,
                "workspace": workspace,
                "title": title,
                "retention_h": retention_h,
                "expected_version": expected_version,
            },
            Topic,
        )

    async def create_schedule(
        self,
        *,
        name: str,
        cron: str,
        workspace: str | None = None,
        zone: str | None = None,
        missed: Literal["skip", "once", "all"] | None = None,
        job: JobAction | None = None,
        message: MessageAction | None = None,
        is_paused: bool | None = None,
    ) -> Schedule:
        """Create a schedule that starts a job or publishes a message."""
        return await self._call(
            "messaging.create_schedule",
            {
                "name": name,
                "cron": cron,
                "workspace": workspace,
                "zone": zone,
                "missed": missed,
                "job": job,
                "message": message,
                "is_paused": is_paused,
            },
            Schedule,
        )

    async def create_subscription(
        self,
        *,
        topic: str,
        subscription: str,
        workspace: str | None = None,
        start: Literal["begin", "end"] | None = None,
        lease_s: float | None = None,
        max_tries: int | None = None,
        is_ordered: bool | None = None,
    ) -> Subscription:
        """Create a subscription of a topic."""
        return await self._call(
            "messaging.create_subscription",
            {
                "topic": topic,
                "subscription": subscription,
                "workspace": workspace,
                "start": start,
                "lease_s": lease_s,
                "max_tries": max_tries,
                "is_ordered": is_ordered,
            },
            Subscription,
        )

    async def create_topic(
        self, *, topic: str, workspace: str | None = None, title: str | None = None, retention_h: float | None = None
    ) -> Topic:
        """Create a topic."""
        return await self._call(
            "messaging.create_topic",
            {"topic": topic, "workspace": workspace, "title": title, "retention_h": retention_h},
            Topic,
        )

    async def delete_schedule(self, *, schedule: str, workspace: str | None = None) -> None:
        """Delete a schedule."""
        return await self._call("messaging.delete_schedule", {"schedule": schedule, "workspace": workspace}, None)

    async def delete_subscription(self, *, topic: str, subscription: str, workspace: str | None = None) -> None:
        """Delete a subscription with its place and its dead letters."""
        return await self._call(
            "messaging.delete_subscription",
            {"topic": topic, "subscription": subscription, "workspace": workspace},
            None,
        )

    async def delete_topic(self, *, topic: str, workspace: str | None = None) -> None:
        """Delete a topic without subscriptions, and its messages."""
        return await self._call("messaging.delete_topic", {"topic": topic, "workspace": workspace}, None)

    async def get_dead_letter(self, *, letter: str, workspace: str | None = None) -> DeadLetter:
        """Show a dead letter with its message and the last error."""
        return await self._call("messaging.get_dead_letter", {"letter": letter, "workspace": workspace}, DeadLetter)

    async def get_schedule(self, *, schedule: str, workspace: str | None = None) -> Schedule:
        """Show a schedule and the next times at which it fires."""
        return await self._call("messaging.get_schedule", {"schedule": schedule, "workspace": workspace}, Schedule)

    async def get_subscription(self, *, topic: str, subscription: str, workspace: str | None = None) -> Subscription:
        """Show a subscription: how much waits, is in flight and is dead."""
        return await self._call(
            "messaging.get_subscription",
            {"topic": topic, "subscription": subscription, "workspace": workspace},
            Subscription,
        )

    async def get_topic(self, *, topic: str, workspace: str | None = None) -> Topic:
        """Show a topic."""
        return await self._call("messaging.get_topic", {"topic": topic, "workspace": workspace}, Topic)

    async def list_dead_letters(
        self,
        *,
        workspace: str | None = None,
        topic: str | None = None,
        subscription: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[DeadLetter]:
        """List dead letters, newest first."""
        return await self._call(
            "messaging.list_dead_letters",
            {"workspace": workspace, "topic": topic, "subscription": subscription, "limit": limit, "cursor": cursor},
            Page[DeadLetter],
        )

    async def list_messages(
        self,
        *,
        topic: str,
        workspace: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Message]:
        """Look at the messages of a topic, oldest first, without taking any."""
        return await self._call(
            "messaging.list_messages",
            {"topic": topic, "workspace": workspace, "since": since, "limit": limit, "cursor": cursor},
            Page[Message],
        )

    async def list_schedules(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Schedule]:
        """List schedules by name, each with the next times at which it fires."""
        return await self._call(
            "messaging.list_schedules", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Schedule]
        )

    async def list_subscriptions(
        self, *, topic: str, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Subscription]:
        """List the subscriptions of a topic by name."""
        return await self._call(
            "messaging.list_subscriptions",
            {"topic": topic, "workspace": workspace, "limit": limit, "cursor": cursor},
            Page[Subscription],
        )

    async def list_topics(
        self, *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Topic]:
        """List the topics by name."""
        return await self._call(
            "messaging.list_topics", {"workspace": workspace, "limit": limit, "cursor": cursor}, Page[Topic]
        )

    async def nack(
        self,
        *,
        topic: str,
        subscription: str,
        receipts: list[str],
        workspace: str | None = None,
        delay_s: float | None = None,
        error: str | None = None,
    ) -> Settled:
        """Give messages back: they come again after the delay, or become dead letters when tried often enough."""
        return await self._call(
            "messaging.nack",
            {
                "topic": topic,
                "subscription": subscription,
                "receipts": receipts,
                "workspace": workspace,
                "delay_s": delay_s,
                "error": error,
            },
            Settled,
        )

    async def pause_schedule(self, *, schedule: str, workspace: str | None = None) -> Schedule:
        """Let a schedule rest; what it would have done meanwhile is not made up for."""
        return await self._call("messaging.pause_schedule", {"schedule": schedule, "workspace": workspace}, Schedule)

    async def preview_cron(
        self, *, cron: str, workspace: str | None = None, zone: str | None = None, count: int | None = None
    ) -> list[datetime]:
        """Show the next times at which a cron expression would fire."""
        return await self._call(
            "messaging.preview_cron",
            {"cron": cron, "workspace": workspace, "zone": zone, "count": count},
            list[datetime],
        )

    async def publish(self, *, topic: str, messages: list[NewMessage], workspace: str | None = None) -> list[Published]:
        """Publish messages, all or none; they are kept when this returns."""
        return await self._call(
            "messaging.publish", {"topic": topic, "messages": messages, "workspace": workspace}, list[Published]
        )

    async def pull(
        self,
        *,
        topic: str,
        subscription: str,
        workspace: str | None = None,
        limit: int | None = None,
        wait_s: float | None = None,
    ) -> list[Delivery]:
        """Take messages for the time of a lease; wait for the first one as long as asked."""
        return await self._call(
            "messaging.pull",
            {"topic": topic, "subscription": subscription, "workspace": workspace, "limit": limit, "wait_s": wait_s},
            list[Delivery],
        )

    async def purge_dead_letters(
        self, *, topic: str, subscription: str, workspace: str | None = None, letters: list[str] | None = None
    ) -> Settled:
        """Let dead letters go for good, all or those that are named."""
        return await self._call(
            "messaging.purge_dead_letters",
            {"topic": topic, "subscription": subscription, "workspace": workspace, "letters": letters},
            Settled,
        )

    async def replay_dead_letters(
        self, *, topic: str, subscription: str, workspace: str | None = None, letters: list[str] | None = None
    ) -> Settled:
        """Deliver dead letters to their subscription again, all or those that are named."""
        return await self._call(
            "messaging.replay_dead_letters",
            {"topic": topic, "subscription": subscription, "workspace": workspace, "letters": letters},
            Settled,
        )

    async def resume_schedule(self, *, schedule: str, workspace: str | None = None) -> Schedule:
        """Let a schedule fire again."""
        return await self._call("messaging.resume_schedule", {"schedule": schedule, "workspace": workspace}, Schedule)

    async def run_schedule(self, *, schedule: str, workspace: str | None = None) -> Schedule:
        """Let a schedule fire now, beside its plan."""
        return await self._call("messaging.run_schedule", {"schedule": schedule, "workspace": workspace}, Schedule)

    async def seek_subscription(
        self,
        *,
        topic: str,
        subscription: str,
        workspace: str | None = None,
        seq: int | None = None,
        time: datetime | None = None,
        to: Literal["begin", "end"] | None = None,
    ) -> Subscription:
        """Let a subscription go on from another place: a number, a moment, the begin or the end."""
        return await self._call(
            "messaging.seek_subscription",
            {"topic": topic, "subscription": subscription, "workspace": workspace, "seq": seq, "time": time, "to": to},
            Subscription,
        )
