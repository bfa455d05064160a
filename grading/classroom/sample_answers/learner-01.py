"""Everything right, as in the solutions."""
