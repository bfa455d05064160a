"""A finding: the first broken rule, what was seen of it, and what the diagnosis needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grading.exercise import Probe

__all__ = ["Draws", "Finding", "lettered"]


#: With 150 seeds a right measure lies between these in all but one of five million checks.
CLOSEST, FARTHEST = 0.7, 1.5


@dataclass(frozen=True, slots=True)
class Draws:
    """What a measure does with the generator that it is given.

    Attributes:
        moved: whether it drew from it at all.
        repeats: whether one seed gives one number.
        varies: whether another seed gives another number.
        apart: how far the numbers of many seeds lie apart, as a part of what the contract's draws
            leave; 1 where that was not looked at.
    """

    moved: bool
    repeats: bool
    varies: bool
    apart: float = 1.0

    @property
    def spread(self) -> str:
        """Whether they lie too close together, too far apart, or as they should: ""."""
        if self.apart < CLOSEST:
            return "close"
        return "" if self.apart <= FARTHEST else "far"


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """The first broken rule: which, what was seen, and what the diagnosis needs.

    Attributes:
        rule: the rule in a few words.
        message: what was seen, in a sentence for the learner.
        stage: where a misconception may show: "values", "gradient", "cost" or "inputs"; "" where
            no diagnosis is wanted.
        probe: the name of the probe on which it was seen.
        output: the number of the output that it speaks of; None where it speaks of none.
        remark: what may explain it, behind the message.
        unnamed: the finding in its place where no mistake is recognised; None for itself.
        gradients, shape, draws: what the diagnosis needs at the stages "gradient", "cost" and
            "generator".
    """

    rule: str
    message: str
    stage: str = ""
    probe: str = ""
    output: int | None = None
    remark: str = ""
    unnamed: "Finding | None" = None
    gradients: Sequence[list[np.ndarray[Any, Any]]] = ()
    shape: tuple[int, ...] | None = None
    draws: Draws | None = None


def lettered(shape: Sequence[int], probe: Probe) -> str:
    """Return a shape in numbers, and in letters where the probe's sizes tell them."""
    letters = {size: letter for letter, size in probe.sizes.items()}
    text = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    if not shape or probe.edge or not all(size in letters for size in shape):
        return text
    return f"{text}, which reads {' '.join(letters[size] for size in shape)}"
