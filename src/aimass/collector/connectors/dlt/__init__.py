"""Resources of dlt: their extraction alone, without a dlt pipeline."""
