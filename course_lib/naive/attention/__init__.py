"""Attention in loops; one idea a module."""
