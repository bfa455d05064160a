"""A model's sizes and choices as frozen data: what differs between models, and nothing else.

A variant that computes something else is a class of its own, not a flag. A size that a model does
not have is None, and its docstring says what None means.
"""
