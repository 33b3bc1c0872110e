"""The words of monitoring: records, feedback, monitors, series, rules and alerts."""
