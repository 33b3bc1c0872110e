"""The recipe logistic regression."""
