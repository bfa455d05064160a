"""What a check gives back, and how it shows itself in a notebook and in a terminal."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from grading.verdict.record import MIME, Record
from grading.words import page, text

__all__ = ["CheckResult"]


@dataclass(frozen=True, repr=False)
class CheckResult:
    """The result of checking one answer; it shows itself.

    Attributes:
        record: all that was found, as data; the rest is read from it.
        handed_over: makes the example's inputs: new ones each time, for they may be changed.
    """

    record: Record
    handed_over: Callable[[], dict[str, Any]] = field(default=dict, compare=False)

    @property
    def exercise(self) -> str:
        """The exercise's name."""
        return self.record.exercise

    @property
    def passed(self) -> bool:
        """Whether every rule holds."""
        return self.record.passed

    @property
    def points(self) -> float:
        """All of the points, or none."""
        return self.record.points

    @property
    def max_points(self) -> float:
        """The points of the cell."""
        return self.record.max_points

    @property
    def rule(self) -> str | None:
        """The first broken rule, or None."""
        return self.record.rule

    @property
    def misconception(self) -> str | None:
        """The codes of the mistakes that the answer behaves like, joined with +, or None."""
        return "+".join(self.record.misconceptions) or None

    @property
    def message(self) -> str:
        """What was seen, in sentences."""
        return text.message(self.record)

    @property
    def example(self) -> str:
        """The smallest example on which it shows, as text; "" where there is none."""
        return text.example(self.record)

    @property
    def inputs(self) -> dict[str, Any]:
        """The example's inputs by name, as your function gets them; {} where there is no example.

        `softmax(**result.inputs)` calls it again, `softmax(*result.inputs.values())` whatever your
        arguments are called.
        """
        return self.handed_over()

    @property
    def html(self) -> str:
        """The explanation, for a page."""
        return page.page(self.record)

    def __str__(self) -> str:
        """The explanation, for a terminal."""
        return text.text(self.record)

    __repr__ = __str__

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        # nbgrader reads partial credit from a text/plain that is nothing but a number.
        plain = repr(self.points) if _in_kernel() else str(self)
        return {"text/plain": plain, "text/html": self.html, MIME: self.record.to_json()}


def _in_kernel() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
