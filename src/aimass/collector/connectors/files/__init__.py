"""Files that lie in a folder or an object store: each read once, whatever comes beside it."""
