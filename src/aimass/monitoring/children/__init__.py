"""What monitoring does with heavy libraries; called by name in the data child."""
