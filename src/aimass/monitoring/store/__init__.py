"""Tables of the room monitoring and the queries on them."""
