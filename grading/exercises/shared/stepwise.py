"""Misconceptions whose wrong functions follow from an exercise's steps."""

from collections.abc import Callable
from typing import Any

from grading.exercise import Answer, Misconception
from grading.steps import Pipeline

__all__ = ["mistake"]


def mistake(
    steps: Pipeline,
    code: str,
    sentence: str,
    *more: Answer,
    recognise: Callable[..., bool] | None = None,
) -> Misconception:
    """Return the misconception of that code.

    Args:
        steps: the steps of the exercise.
        code: stands beside a wrong step.
        sentence: what the learner is told.
        more: variants that are no wrong step.
        recognise: says whether an answer belongs to the family.
    """
    functions: tuple[Any, ...] = (*steps.wrong(code), *more)
    return Misconception(
        code=code, sentence=sentence, wrong=functions[0], also=functions[1:], recognise=recognise
    )
