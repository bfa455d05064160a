"""What a check gives back, and how it shows itself in a notebook and in a terminal."""

import sys
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CheckResult"]


@dataclass(frozen=True, slots=True, repr=False)
class CheckResult:
    """The result of checking one answer; it shows itself.

    Attributes:
        exercise: the exercise's name.
        passed: whether every rule holds.
        points: all of the points, or none.
        max_points: the points of the cell.
        rule: the first broken rule, or None.
        misconception: the code of the mistake that the answer behaves like, or None.
        message: what was seen, in sentences.
        example: the smallest example on which it shows, as text; "" where there is none.
    """

    exercise: str
    passed: bool
    points: float
    max_points: float
    rule: str | None
    misconception: str | None
    message: str
    example: str
    html: str = field(default="", repr=False)

    def __str__(self) -> str:
        """The explanation, for a terminal."""
        mark = "PASSED" if self.passed else "NOT YET"
        head = f"{mark}  {self.exercise}: {self.points:g} of {self.max_points:g} points"
        parts = [head]
        if self.rule is not None:
            parts.append(f"Rule: {self.rule}.")
        parts.append(self.message)
        if self.example:
            parts.append(self.example)
        return "\n".join(parts)

    __repr__ = __str__

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        # nbgrader reads partial credit from a text/plain that is nothing but a number.
        plain = repr(self.points) if _in_kernel() else str(self)
        return {"text/plain": plain, "text/html": self.html}


def _in_kernel() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
