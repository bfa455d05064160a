"""Correct implementations of every mechanism that the course teaches.

Modules import only from the lines above their own (DESIGN.md).
"""
