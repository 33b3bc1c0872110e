"""Measures of classifiers: numpy alone, each checked against an independent reference in the tests."""
