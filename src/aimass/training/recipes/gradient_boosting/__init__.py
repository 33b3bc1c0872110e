"""The recipe gradient boosting."""
