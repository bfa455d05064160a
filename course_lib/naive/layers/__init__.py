"""The layers, one vector and one number at a time."""
