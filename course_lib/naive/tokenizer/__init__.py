"""Tokens and embeddings, one character and one number at a time."""
