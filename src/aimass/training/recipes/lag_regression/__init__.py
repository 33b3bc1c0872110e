"""The recipe lag regression."""
