"""Numbers of few bits, read one bit after another."""
