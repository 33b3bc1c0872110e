"""Tables and queries of the room access; private to it."""
