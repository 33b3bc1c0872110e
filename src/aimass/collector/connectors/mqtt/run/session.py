"""A session at an MQTT broker: messages come in, and are acknowledged when they are committed."""

from __future__ import annotations

import queue
import ssl
import time
from collections.abc import Iterable
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from aimass.collector.connectors.mqtt.manifest import MqttParameters
from aimass.collector.connectors.portions import Portion
from aimass.kernel.errors import AimassError, Conflict, Forbidden, Invalid, Unavailable

NOT_AUTHORIZED = (134, 135)
TAKEN_OVER = 142
PORTS = {"mqtt": 1883, "mqtts": 8883}
ONLY_WHEN_NEW = 1  # retained messages come once, not with each start
KEEPALIVE_S = 30
# An answer to "unsubscribe" shows that the broker has read all that was sent before it. Nobody subscribes to this topic.
BARRIER = "aimass/acknowledged"


class Session:
    """One connection of a client id; ``expiry_s`` 0: the broker forgets it at the end."""

    def __init__(self, parameters: MqttParameters, client_id: str, *, expiry_s: int = 0, window: int = 65_535) -> None:
        self.parameters = parameters
        self.client_id = client_id
        self.is_known = False  # the broker had kept this session
        self._messages: queue.SimpleQueue[mqtt.MQTTMessage] = queue.SimpleQueue()
        self._connected, self._answered = Event(), Event()
        self._fault: AimassError | None = None
        self._answer: list[ReasonCode] = []
        self._closing = False
        self._client = self._made(expiry_s > 0)
        self._open(expiry_s, window)

    def _made(self, is_kept: bool) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.client_id,
            protocol=mqtt.MQTTv5,
            manual_ack=is_kept,
            reconnect_on_failure=False,
        )
        told = self.parameters
        if told.user is not None:
            client.username_pw_set(told.user, told.password.get_secret_value() if told.password else None)
        if told.url.startswith("mqtts:"):
            try:
                client.tls_set_context(ssl.create_default_context(cadata=told.ca))
            except ssl.SSLError:
                raise Invalid("the certificate cannot be read", field="ca", allowed="PEM text") from None
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_answer
        client.on_unsubscribe = self._on_answer
        return client

    def _open(self, expiry_s: int, window: int) -> None:
        told = self.parameters
        where = urlsplit(told.url)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = expiry_s
        properties.ReceiveMaximum = window
        self._client.connect_timeout = told.timeout_s
        try:
            self._client.connect(
                where.hostname or "",
                where.port or PORTS[where.scheme],
                keepalive=KEEPALIVE_S,
                clean_start=expiry_s == 0,
                properties=properties,
            )
        except (OSError, ValueError) as reason:
            raise Unavailable(
                f"no MQTT broker answers at {told.url!r}: {reason}", field="url", value=told.url
            ) from None
        self._client.loop_start()
        if not self._connected.wait(told.timeout_s):
            self._fault = self._fault or Unavailable("the broker did not answer in time", field="url", value=told.url)
        if self._fault is not None:
            self.close()
            raise self._fault

    def _on_connect(self, _client: Any, _data: Any, flags: Any, code: ReasonCode, _properties: Any) -> None:
        self.is_known = bool(flags.session_present)
        if code.is_failure:
            told = f"the broker refused the connection: {code}"
            is_secret = code.value in NOT_AUTHORIZED
            self._fault = Forbidden(told, field="password") if is_secret else Unavailable(told, field="url")
        self._connected.set()

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._messages.put(message)

    def _on_answer(self, _client: Any, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        self._answer = codes
        self._answered.set()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if self._closing or self._fault is not None:
            return
        if code.value == TAKEN_OVER:
            self._fault = Conflict(
                f"another client took over the session {self.client_id!r}",
                field="client_id",
                value=self.client_id,
                hint="give each source a client id of its own",
            )
        else:
            self._fault = Unavailable(
                f"the connection to the broker was lost: {code}",
                hint=f"if it happens again and again: does another client use the session {self.client_id!r}?",
            )
        self._connected.set()
        self._answered.set()

    def subscribe(self, topic_filter: str) -> None:
        """Subscribe, or subscribe again: the session goes on."""
        options = SubscribeOptions(qos=1, retainHandling=ONLY_WHEN_NEW)
        self._answered.clear()
        self._client.subscribe(topic_filter, options=options)
        self._wait_for_answer()
        refused = next((code for code in self._answer if code.is_failure), None)
        if refused is not None:
            raise Forbidden(
                f"the broker refused the topic filter {topic_filter!r}: {refused}", field="stream", value=topic_filter
            )

    def receive(self, count: int, wait_s: float, gather_s: float) -> list[mqtt.MQTTMessage]:
        """Return the messages that came: wait for the first, then gather for a moment, or until they make a part."""
        held = Portion[mqtt.MQTTMessage](count)
        until = time.monotonic() + wait_s
        while not held.is_full:
            try:
                message = self._messages.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            held.add(message, len(message.payload))
            if len(held) == 1:
                until = min(until, time.monotonic() + gather_s)
        if not len(held) and self._fault is not None:
            raise self._fault
        return held.take()

    def acknowledge(self, mids: Iterable[int]) -> None:
        """Acknowledge messages, and wait until the broker has read it."""
        for mid in mids:
            self._client.ack(mid, 1)
        self._answered.clear()
        if self._fault is None:
            self._client.unsubscribe(BARRIER)
        self._wait_for_answer()

    def _wait_for_answer(self) -> None:
        answered = self._answered.wait(self.parameters.timeout_s)
        if self._fault is not None:
            raise self._fault
        if not answered:
            raise Unavailable("the broker did not answer in time", hint="try again, or raise timeout_s")

    def close(self) -> None:
        """Leave; the broker keeps the session as long as was agreed."""
        if self._closing:
            return
        self._closing = True
        client = self._client
        client.disconnect()
        client.loop_stop()
        client.on_connect = client.on_message = client.on_disconnect = client.on_subscribe = client.on_unsubscribe = (
            None
        )
        del self._client  # nothing holds it now, so that its sockets go at once
