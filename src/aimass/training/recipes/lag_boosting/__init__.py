"""The recipe lag boosting."""
