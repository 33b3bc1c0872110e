"""Training: recipes, splits, experiments and runs."""
