"""The service of the room."""
