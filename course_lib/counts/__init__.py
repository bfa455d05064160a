"""What a model holds and costs, and what waits in it, as integers computed from sizes alone."""
