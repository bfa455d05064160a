"""The loss, and what is measured, in loops; one idea a module."""
