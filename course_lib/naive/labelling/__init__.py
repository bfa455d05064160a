"""Twins of ``course_lib.labelling`` in loops."""
