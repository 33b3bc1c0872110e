"""The recipe lightgbm_policy."""
