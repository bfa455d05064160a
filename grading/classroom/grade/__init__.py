"""Grade what was handed in: what is new or changed, one submission at a time, each apart."""
