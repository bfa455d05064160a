"""Attention in parts, one query and one key at a time."""
