"""The recipe hist gradient boosting."""
