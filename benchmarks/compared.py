"""Several ways to compute the same, which take turns in one process: the best call of each."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.measure import Bar, exponent, markdown

Call = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement.

    Attributes:
        case: what was computed, such as "forward".
        name: who computed it.
        n: the size, in positions or tokens.
        seconds: CPU seconds of the fastest call; None where they were not measured.
        peak: bytes at the worst moment, the result included; None where it was not measured.
    """

    case: str
    name: str
    n: int
    seconds: float | None = None
    peak: int | None = None


def best_in_turns(calls: Mapping[str, Call], rounds: int) -> dict[str, float]:
    """Return the CPU seconds of the fastest of several calls.

    All take turns, so that a slow moment of the machine slows all alike; the fastest call is the
    one that others disturbed least.

    Args:
        calls: what is measured; each is called once before.
        rounds: how often each is measured.

    Returns:
        Seconds, by name.
    """
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            call()
            times[name].append(time.process_time() - start)
    return {name: min(seconds) for name, seconds in times.items()}


def with_gradients(
    function: Callable[..., Tensor], inputs: Iterable[Tensor], gradient: Tensor
) -> Call:
    """Return a call that goes there and back: the function, and the gradients of its inputs.

    Args:
        function: called with the inputs alone.
        inputs: what it takes; copies of them get gradients.
        gradient: what arrives from behind the result.

    Returns:
        The call; it returns the gradients.
    """
    leaves = [x.detach().clone().requires_grad_() for x in inputs]

    def there_and_back() -> tuple[Tensor, ...]:
        return torch.autograd.grad(function(*leaves), leaves, gradient)

    return there_and_back


def find(rows: Iterable[Row], case: str, name: str, n: int) -> Row:
    """Return the row of one case, name and size."""
    return next(row for row in rows if (row.case, row.name, row.n) == (case, name, n))


def times(rows: Iterable[Row], case: str, ours: str, theirs: str, n: int) -> float:
    """Return how many times as long as another ours takes."""
    kept = list(rows)
    one, other = (find(kept, case, name, n).seconds for name in (ours, theirs))
    if one is None or other is None:
        raise ValueError(f"{case} of {ours} and {theirs} at n = {n} was not timed")
    return one / other


def power(rows: Iterable[Row], case: str, name: str, field: str = "seconds") -> float | None:
    """Return with which power of n the times or the peaks of one case and name grow."""
    own = [row for row in rows if (row.case, row.name) == (case, name)]
    values = [getattr(row, field) for row in own]
    return None if None in values else exponent([row.n for row in own], values)


def at_most(claim: str, values: Mapping[str, float], most: float, why: str = "") -> Bar:
    """Return a bar of several numbers that are not to exceed one bound.

    Args:
        claim: what is claimed, without the bound.
        values: the numbers, by what they belong to; an empty name is left out.
        most: the bound.
        why: where a number above the bound comes from.

    Returns:
        The bar; it holds if all do.
    """
    measured = ", ".join(f"{value:.2f} {name}".strip() for name, value in values.items())
    holds = all(value <= most for value in values.values())
    return Bar(claim=f"{claim} (≤ {most:g})", measured=measured, holds=holds, why=why)


def table(rows: Iterable[Row], unit: str = "CPU ms") -> str:
    """Set times as a Markdown table: a line for each case and name, a column for each size."""
    kept = [row for row in rows if row.seconds is not None]
    sizes = sorted({row.n for row in kept})
    found = {(row.case, row.name, row.n): row.seconds for row in kept}
    lines = [
        [case, name]
        + [f"{1e3 * found[case, name, n]:.1f}" if (case, name, n) in found else "" for n in sizes]
        for case, name in dict.fromkeys((row.case, row.name) for row in kept)
    ]
    return markdown([unit, "", *(f"n = {n}" for n in sizes)], lines, words=2)
