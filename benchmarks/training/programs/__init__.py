"""Programs of peers, in their own environments."""
