"""The words of the room: endpoints, deployments, revisions and traffic, and the rules on them."""
