"""The recipe linear_policy."""
