"""The recipe random forest."""
