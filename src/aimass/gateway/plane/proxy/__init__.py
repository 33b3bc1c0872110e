"""The reverse proxy: services that are no models stand behind the same door."""
