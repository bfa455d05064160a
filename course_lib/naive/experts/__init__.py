"""Experts, one token and one choice at a time."""
