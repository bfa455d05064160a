"""Call a function once for each value of an argument, and tell each call by itself."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from grading.observation.values import Inputs, InTurn
from grading.witness.calling import outcome, told_error
from grading.witness.conversion import plain
from grading.witness.saying import silence

__all__ = ["in_turn", "turns"]


def turns(inputs: Mapping[str, Any]) -> list[Inputs]:
    """Return the inputs of each call; none where no argument is handed over in turn.

    Raises:
        ValueError: if two arguments have another number of values.
    """
    taken = {name: value.values for name, value in inputs.items() if isinstance(value, InTurn)}
    counts = {len(values) for values in taken.values()}
    if len(counts) > 1:
        raise ValueError(f"arguments in turn have as many values each; got {sorted(counts)}")
    return [
        {**inputs, **{name: values[number] for name, values in taken.items()}}
        for number in range(next(iter(counts), 0))
    ]


def in_turn(function: Callable[..., Any], calls: Sequence[list[Any]]) -> tuple[Any, ...]:
    """Return for each call what it returned, as plain data, or the error that it raised.

    What the function prints is heard in the first call only: it says the same in the others.
    """
    results: list[Any] = []
    for number, arguments in enumerate(calls):
        with silence() if number else nullcontext():
            called = outcome(function, arguments)
        if called.error is None:
            results.append(plain(called.value))
        else:
            results.append(told_error(called.error))
    return tuple(results)
