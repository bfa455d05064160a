"""How questions are graded whose answer is a number, or a diagnosis with inputs that prove it."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from grading.compare import plain
from grading.contract import described
from grading.errors_in_words import first_line
from grading.exercise import Inputs, Probe

__all__ = ["Diagnosis", "asked", "band", "near"]


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


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A bug to find: its code, the list to choose from, and the two functions that tell.

    Attributes:
        code: the right answer.
        bugs: code -> what went wrong, all that can be chosen.
        broken, right: the function with the bug, and a right one.
        inputs: the names of their arguments.
    """

    code: str
    bugs: Mapping[str, str]
    broken: Callable[..., Any]
    right: Callable[..., Any]
    inputs: tuple[str, ...]

    def judge(self, inputs: Inputs, outputs: tuple[Any, ...]) -> str | None:
        """Judge a pair (code, inputs): is it that mistake, and do these inputs expose it?"""
        chosen, shown = outputs
        if not isinstance(chosen, str) or chosen not in self.bugs:
            listed = ", ".join(f'"{code}"' for code in self.bugs)
            return f"{chosen!r} is no code of the list. Choose one of {listed}."
        if chosen != self.code:
            return f'"{chosen}" is not the mistake: it would have left another trace.'
        trouble = self._trouble(shown)
        if trouble is not None:
            return f"The mistake is named. But {trouble}"
        try:
            agree = self._agree(shown)
        except Exception as error:  # the learner's inputs may be anything
            reason = f"{type(error).__name__}: {first_line(error)}."
            return f"The mistake is named. But with these inputs the functions raise {reason}"
        if agree:
            return "The mistake is named. But on these inputs the broken function is right."
        return None

    def view(self, inputs: Inputs, outputs: tuple[Any, ...]) -> tuple[torch.Tensor, ...]:
        """Return the chosen code as its number, and whether both functions agreed on the inputs."""
        chosen, shown = outputs
        known = list(self.bugs)
        number = float(known.index(chosen)) if chosen in known else -1.0
        agreed = False
        if self._trouble(shown) is None:
            with suppress(Exception):
                agreed = self._agree(shown)
        return (torch.tensor([number, float(agreed)]),)

    def chose(self, code: str) -> Callable[[Mapping[str, Any]], bool]:
        """Recognise a diagnosis by the code that was chosen.

        The right code is recognised only with inputs on which both functions ran and agreed.
        """
        number = float(list(self.bugs).index(code))

        def recognise(seen: Mapping[str, Any]) -> bool:
            view = seen.get("the question")
            if not isinstance(view, list) or len(view) != 1:
                return False
            chosen, agreed = view[0].tolist()
            return bool(chosen == number and (agreed or code != self.code))

        return recognise

    def _trouble(self, shown: Any) -> str | None:
        """Say why the inputs cannot be tried, or None."""
        names = ", ".join(self.inputs)
        if not isinstance(shown, tuple | list):
            comma = " A tuple of one has a comma: `(x,)`." if len(self.inputs) == 1 else ""
            return f"the inputs have to be a tuple, ({names}); yours is {described(shown)}.{comma}"
        if len(shown) != len(self.inputs):
            count = f"{len(self.inputs)} input{'s' if len(self.inputs) > 1 else ''}"
            return f"the function takes {count}, {names}; you give {len(shown)}."
        for name, value in zip(self.inputs, shown, strict=True):
            if not isinstance(value, torch.Tensor):
                return f"{name} has to be a tensor; yours is {described(value)}."
            if not value.is_floating_point():
                return f"{name} has to hold floating-point numbers; yours is {described(value)}."
            if not bool(torch.isfinite(value).all()):
                return f"{name} holds an infinity or NaN: with those every function fails."
        return None

    def _agree(self, shown: Sequence[Any]) -> bool:
        seen, wanted = (_flat(function(*shown)) for function in (self.broken, self.right))
        return all(
            a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True)
            for a, b in zip(seen, wanted, strict=True)
        )


def _flat(value: Any) -> list[torch.Tensor]:
    values = value if isinstance(value, tuple | list) else (value,)
    return [torch.as_tensor(plain(one)).to(torch.float64) for one in values]
