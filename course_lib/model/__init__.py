"""Blocks and Transformers: modules hold the weights, functions do the mathematics."""
