"""Use cases of the room training."""
