"""Push: rows that programs and webhooks send, kept on disk before they are acknowledged, and collected in micro-batches."""
