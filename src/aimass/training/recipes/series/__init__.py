"""What recipes that forecast share: how windows are seen, and sums that are taken of arrays and in graphs alike."""
