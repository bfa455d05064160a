"""A cache as a list that grows by one token at a time."""
