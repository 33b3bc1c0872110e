"""REST APIs, declared: authorization, pages, an incremental parameter; no program has to be written."""
