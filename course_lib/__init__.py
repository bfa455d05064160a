"""Correct implementations of every mechanism that the course teaches; modules import only from the lines above their own (DESIGN.md)."""
