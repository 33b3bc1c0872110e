"""The recipe xgboost."""
