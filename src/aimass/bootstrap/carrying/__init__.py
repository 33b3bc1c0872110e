"""What carries a platform to another place: its databases as two files from either engine, its other files, and their list."""
