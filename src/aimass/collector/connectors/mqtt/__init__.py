"""MQTT: what devices publish, collected exactly once through a session that the broker keeps."""
