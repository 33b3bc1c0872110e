"""Words and rules of messaging: topics, subscriptions, dead letters and schedules."""
