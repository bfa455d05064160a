"""Counts as sums over layers and heads."""
