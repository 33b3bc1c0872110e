"""Applications: what people came for, each a room of its own."""
