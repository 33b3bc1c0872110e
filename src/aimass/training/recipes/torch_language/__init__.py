"""A language model that is a net."""
