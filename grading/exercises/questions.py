"""How questions are graded whose answer is a number, or a diagnosis with inputs that prove it."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from grading.compare import plain
from grading.exercise import Inputs, Probe

__all__ = ["asked", "band", "chose", "diagnosis", "near", "numbered"]


def _nothing(generator: torch.Generator) -> Inputs:
    return {}


#: A question has no inputs: it is asked once.
asked = (Probe(name="the question", draw=_nothing, edge=True),)


def band(truth: float, tolerance: float) -> Callable[[Inputs, tuple[Any, ...]], str | None]:
    """Accept a number within a tolerance; the measured value is shown by the next cell only."""

    def judge(inputs: Inputs, outputs: tuple[Any, ...]) -> str | None:
        value = float(outputs[0])
        if math.isfinite(value) and abs(value - truth) <= tolerance:
            return None
        return f"Your prediction is {value:g}. Run the next cell and compare, then think again."

    return judge


def near(truth: float, tolerance: float) -> Callable[[Mapping[str, Any]], bool]:
    """Recognise a prediction near a number that a wrong intuition gives."""

    def recognise(seen: Mapping[str, Any]) -> bool:
        view = seen.get("the question")
        return isinstance(view, list) and bool(view) and abs(float(view[0]) - truth) <= tolerance

    return recognise


def diagnosis(
    code: str, broken: Callable[..., Any], right: Callable[..., Any]
) -> Callable[[Inputs, tuple[Any, ...]], str | None]:
    """Judge a pair (code, inputs): is it that mistake, and do these inputs expose it?"""

    def judge(inputs: Inputs, outputs: tuple[Any, ...]) -> str | None:
        chosen, shown = outputs
        if not isinstance(shown, tuple | list):
            return "The inputs have to be a tuple, in the order of the function's arguments."
        try:
            seen, wanted = _flat(broken(*shown)), _flat(right(*shown))
        except Exception as error:  # the learner's inputs may be anything
            return f"The functions cannot be called with these inputs: {type(error).__name__}."
        if chosen != code:
            return f"{chosen!r} is not the mistake: it would have left another trace."
        pairs = list(zip(seen, wanted, strict=True))
        if all(a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in pairs):
            return "The mistake is named. But on these inputs the broken function is right."
        return None

    return judge


def numbered(bugs: Mapping[str, str], code: Any) -> torch.Tensor:
    """Return a chosen code as its number in the list; -1 for one that is not in it."""
    known = list(bugs)
    return torch.tensor(float(known.index(code)) if code in known else -1.0)


def chose(bugs: Mapping[str, str], code: str) -> Callable[[Mapping[str, Any]], bool]:
    """Recognise a diagnosis by the code that was chosen."""
    number = float(numbered(bugs, code))

    def recognise(seen: Mapping[str, Any]) -> bool:
        view = seen.get("the question")
        return isinstance(view, list) and len(view) == 1 and float(view[0]) == number

    return recognise


def _flat(value: Any) -> list[torch.Tensor]:
    values = value if isinstance(value, tuple | list) else (value,)
    return [torch.as_tensor(plain(one)).to(torch.float64) for one in values]
