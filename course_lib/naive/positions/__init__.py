"""The positions, one position and one number at a time."""
