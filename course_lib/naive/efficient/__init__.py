"""Efficient attention in loops; one idea a module."""
