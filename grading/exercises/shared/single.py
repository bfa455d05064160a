"""Mistakes that make no pairs: the products of all would be too many to be run."""

from __future__ import annotations

from grading.exercise import Answer, Misconception

__all__ = ["single"]


def single(code: str, sentence: str, *functions: Answer) -> Misconception:
    """Return a mistake that is named alone, with its variants."""
    return Misconception(code=code, sentence=sentence, wrong=functions[0], also=functions[1:])
