"""The recipe lightgbm."""
