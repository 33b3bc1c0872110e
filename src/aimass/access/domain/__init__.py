"""Pure rules and words of the room access."""
