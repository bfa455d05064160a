"""What an error means is said beside what Python or PyTorch says; the errors are raised here."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from grading.observation.seen import Error
from grading.verdict.errors_in_words import error_message

X = torch.arange(6.0).reshape(2, 3)

MEANT: dict[str, tuple[Callable[[], Any], str]] = {
    "a tensor for a yes": (lambda: 1 if X == 0 else 2, "`torch.where` decides entry by entry"),
    "an argument in the place of a yes": (lambda: X or 1, "whether an argument was given"),
    "the pair of a maximum": (lambda: X - X.max(1, keepdim=True), "`.values`"),
    "a method of the pair": (lambda: X.max(-1).mean(), "give a pair: the numbers, and where"),
    "the pair of a median": (lambda: X / X.median(0), "`median` give a pair"),
    "a mask as an index": (
        lambda: X[torch.ones(2, 2, dtype=torch.bool)],
        "`masked_fill` broadcast",
    ),
    "a mask in NumPy": (lambda: X.numpy()[np.ones((2, 2), dtype=bool)], "square brackets"),
    "a fill that is too low": (lambda: X.masked_fill(X > 2, -1e300), "torch.finfo(x.dtype)"),
    "a root of a plain number": (lambda: torch.sqrt(64), "`math` has functions of numbers"),
}


@pytest.mark.parametrize(("raises", "meant"), MEANT.values(), ids=MEANT)
def test_what_an_error_means_is_said(raises: Callable[[], Any], meant: str) -> None:
    with pytest.raises((TypeError, RuntimeError, AttributeError, IndexError)) as caught:
        raises()
    kinds = tuple(kind.__name__ for kind in type(caught.value).__mro__)
    error = Error(kinds=kinds, text=str(caught.value), line=None)
    message = error_message(error, {})
    assert kinds[0] in message
    assert meant in message


def test_an_error_that_speaks_for_itself_is_left_alone() -> None:
    error = Error(kinds=("KeyError", "Exception"), text="'previous'", line=None)
    assert error_message(error, {}) == "Your function raised an error: KeyError: 'previous'."
