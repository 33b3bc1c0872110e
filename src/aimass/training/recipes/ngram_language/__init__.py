"""A language model that counts which pieces followed each other."""
