"""The part of the MQTT connector that talks to the broker."""

from aimass.collector.connectors.mqtt.run.connection import MqttConnection

RUN = MqttConnection

__all__ = ["RUN"]
