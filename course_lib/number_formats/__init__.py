"""Numbers of few bits, as released checkpoints store them."""
