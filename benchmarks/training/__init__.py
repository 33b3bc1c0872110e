"""Training side by side: the search for parameters against chance, against no pruning, and against Optuna's own storage."""
