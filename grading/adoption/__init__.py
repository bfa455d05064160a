"""Answers that pass become the learner's own library, work/mine.py."""
