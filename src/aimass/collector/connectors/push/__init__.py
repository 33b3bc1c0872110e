"""Push: rows that are sent to a source, kept on disk before they are acknowledged, and collected in micro-batches."""
