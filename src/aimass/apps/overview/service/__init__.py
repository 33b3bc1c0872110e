"""The use cases of the room."""
