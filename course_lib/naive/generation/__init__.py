"""The choice of one token, number by number."""
