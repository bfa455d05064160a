"""How questions are graded whose answer is a number, or a diagnosis with inputs that prove it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grading.exercise import Answer, Inputs, Misconception, Probe, Seen
from grading.observation.seen import Error
from grading.observation.values import Array, Other, as_arrays, described

__all__ = ["BROKEN", "RIGHT", "Diagnosis", "asked", "near", "number_near", "weight_near"]

Recogniser = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]


def _nothing(generator: Any) -> Inputs:
    return {}


#: A question has no inputs: it is asked once.
asked = (Probe(name="the question", draw=_nothing, edge=True),)


def number_near(
    truth: float,
    tolerance: float,
    rule: str = "",
    low: float = -math.inf,
    high: float = math.inf,
) -> Callable[[Seen], str | None]:
    """Accept a number within a tolerance; the measured value is shown by the next cell only.

    Args:
        truth: the number asked for.
        tolerance: how far a prediction may lie from it.
        rule: what every such number obeys, as the beginning of a sentence.
        low: the least number that the rule allows.
        high: the largest.

    Returns:
        The judge of a prediction.
    """

    def judge(one: Seen) -> str | None:
        value = float(one.outputs[0])
        if math.isfinite(value) and abs(value - truth) <= tolerance:
            return None
        if rule and not low <= value <= high:
            is_share = (low, high) == (0, 1) and 1 < value <= 100
            percent = " Is it meant in per cent?" if is_share else ""
            return f"{rule}; your prediction is {value:g}.{percent}"
        return f"Your prediction is {value:g}. Run the next cell and compare, then think again."

    return judge


def weight_near(truth: float, tolerance: float) -> Callable[[Seen], str | None]:
    """Accept a weight within a tolerance."""
    return number_near(truth, tolerance, "A weight lies between 0 and 1", 0, 1)


def near(number: float, tolerance: float) -> Recogniser:
    """Recognise a prediction near a number that a wrong intuition gives."""

    def recognise(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
        view = seen.get("the question")
        return isinstance(view, list) and bool(view) and abs(float(view[0]) - number) <= tolerance

    return recognise


#: What the two functions of a diagnosis are called: the one with the bug, and a right one.
BROKEN, RIGHT = "the broken function", "the right function"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A bug to find: its code, and the list to choose from.

    The exercise holds the two functions that tell, under the names BROKEN and RIGHT.

    Attributes:
        code: the right answer.
        bugs: code -> what went wrong, all that can be chosen.
        inputs: the names of the functions' arguments.
        shown: makes inputs on which the bug shows.
        tokens: which of the arguments are lists of tokens, each bytes; the others are tensors.
    """

    code: str
    bugs: Mapping[str, str]
    inputs: tuple[str, ...]
    shown: Callable[[], Any]
    tokens: frozenset[str] = frozenset()

    def answer(self, chosen: str = "", shown: Callable[[], Any] | None = None) -> Answer:
        """Return an answer: the right one, or another choice, or other inputs."""
        return lambda: (chosen or self.code, (shown or self.shown)())

    def mistake(
        self, code: str, chosen: str, sentence: str, shown: Callable[[], Any] | None = None
    ) -> Misconception:
        """Return the mistake of whoever chooses this, or gives inputs that show nothing."""
        return Misconception(
            code=code,
            sentence=sentence,
            wrong=self.answer(chosen, shown),
            recognise=self.chose(chosen),
        )

    def judge(self, one: Seen) -> str | None:
        """Judge a pair (code, inputs): is it that mistake, and do these inputs expose it?"""
        chosen, shown = one.returned
        if not isinstance(chosen, str) or chosen not in self.bugs:
            listed = ", ".join(f'"{code}"' for code in self.bugs)
            words = described(chosen) if isinstance(chosen, Array | Other) else f'"{chosen}"'
            return f"{words} is no code of the list. Choose one of {listed}."
        if chosen != self.code:
            return f'"{chosen}" is not the mistake: it would have left another trace.'
        trouble = self._trouble(shown)
        if trouble is not None:
            return f"You chose the right mistake. But {trouble}"
        agree = self._agree(one, shown)
        if isinstance(agree, Error):
            reason = f"{agree.kinds[0]}: {agree.first_line}."
            return (
                f"You chose the right mistake. But with these inputs the functions raise {reason}"
            )
        if agree is None:
            return "You chose the right mistake. Whether these inputs show it cannot be tried here."
        if agree:
            return "You chose the right mistake. But on these inputs the broken function is right."
        return None

    def view(self, one: Seen) -> tuple[Any, ...]:
        """Return the chosen code as its number, and whether both functions agreed on the inputs."""
        chosen, shown = one.returned
        known = list(self.bugs)
        number = known.index(chosen) if isinstance(chosen, str) and chosen in known else -1
        agreed = self._trouble(shown) is None and self._agree(one, shown) is True
        return (np.array([float(number), float(agreed)]),)

    def chose(self, code: str) -> Recogniser:
        """Recognise a diagnosis by the code that was chosen.

        The right code is recognised only with inputs on which both functions ran and agreed.
        """
        number = float(list(self.bugs).index(code))

        def recognise(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
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
            names += "," if len(self.inputs) == 1 else ""
            return f"the inputs have to be a tuple, ({names}); yours is {described(shown)}.{comma}"
        if len(shown) != len(self.inputs):
            count = f"{len(self.inputs)} input{'s' if len(self.inputs) > 1 else ''}"
            return f"the function takes {count}, {names}; you give {len(shown)}."
        for name, value in zip(self.inputs, shown, strict=True):
            if name in self.tokens:
                if trouble := _trouble_of_tokens(name, value):
                    return trouble
                continue
            if not isinstance(value, Array) or value.kind != "tensor" or value.numbers is None:
                return f"{name} has to be a tensor; yours is {described(value)}."
            if value.numbers.dtype.kind != "f":
                return f"{name} has to hold floating-point numbers; yours is {described(value)}."
            if not np.isfinite(value.numbers).all():
                return f"{name} holds an infinity or NaN: with those every function fails."
        return None

    def _agree(self, one: Seen, shown: Sequence[Any]) -> bool | Error | None:
        """Return whether both functions give the same, or what they raise; None if nobody tells."""
        inputs = dict(zip(self.inputs, shown, strict=True))
        results = []
        for who in (BROKEN, RIGHT):
            seen = one.observe(who, inputs)
            if seen is None or not seen.returned:
                return None if seen is None else seen.error
            results.append(_flat(seen.value))
        return all(
            a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True)
            for a, b in zip(*results, strict=True)
        )


def _trouble_of_tokens(name: str, value: Any) -> str:
    is_list = isinstance(value, tuple | list)
    odd = next((one for one in value if not isinstance(one, bytes)), None) if is_list else value
    if is_list and odd is None:
        return ""
    what = f"one of its entries is {described(odd)}" if is_list else f"yours is {described(value)}"
    return f"{name} has to be a list of bytes; {what}."


def _flat(value: Any) -> list[np.ndarray[Any, Any]]:
    return as_arrays(value if isinstance(value, tuple | list) else (value,))
