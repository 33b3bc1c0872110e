"""Answers of services that are kept and given again (RFC 9111), each fetched once however many ask for it."""
