"""Generation of what the use cases determine."""
