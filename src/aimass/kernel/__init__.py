"""Shared words: errors, ids, clock, pages, principal, events, capability. No I/O, no framework."""
