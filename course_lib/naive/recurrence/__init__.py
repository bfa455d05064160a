"""Recurrent networks in loops; one idea a module."""
