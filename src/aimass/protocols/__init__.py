"""Foreign wire protocols on our rooms: translation only."""
