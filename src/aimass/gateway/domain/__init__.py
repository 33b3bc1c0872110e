"""What callers of the gateway see: models and who calls them, services and the routes to them."""
