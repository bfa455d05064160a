"""Another cost, the same result: attention in blocks, in parts that are merged, in pages."""
