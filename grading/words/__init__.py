"""A record in words: for a terminal, for a page, and as the result of a check."""
