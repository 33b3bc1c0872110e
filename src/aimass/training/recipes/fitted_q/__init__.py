"""The recipe fitted_q."""
