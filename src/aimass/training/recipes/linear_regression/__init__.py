"""The recipe linear regression."""
