"""Tables of the room and the queries on them."""
