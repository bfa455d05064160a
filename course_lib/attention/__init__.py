"""Attention: scores, weights, and the weighted mean of what is read; one idea a module."""
