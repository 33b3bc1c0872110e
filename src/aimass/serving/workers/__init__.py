"""The isolated workers: processes that run a package each, kept alive, bounded, reached by a socket."""
