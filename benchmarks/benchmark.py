"""What a benchmark is: a name, how it measures, and what it tells of the numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Section

#: What was measured, as JSON can keep it: kinds of rows, and the fields of each row.
Measured = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A part of ``make bench`` that can run alone.

    Attributes:
        name: what the command line calls it.
        minutes: how long it takes, roughly.
        measure: measures, each thing in a process of its own.
        tell: sets the sections of the page from what was measured.
    """

    name: str
    minutes: float
    measure: Callable[[], Measured]
    tell: Callable[[Measured], tuple[Section, ...]]
