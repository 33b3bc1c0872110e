"""The recipe scikit_learn."""
