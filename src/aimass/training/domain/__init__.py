"""The words of training: recipes, experiments, splits, runs and evaluations."""
