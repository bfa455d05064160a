"""Run a generator function on every rank of a ring at once, and record what the ranks hand on."""

from collections.abc import Callable, Generator, Mapping
from typing import Any

from grading.observation.values import EachRank
from grading.witness.conversion import plain

__all__ = ["on_ranks", "ranks"]

#: A ring of a few ranks is done long before.
MOST_STEPS = 1000


def ranks(inputs: Mapping[str, Any]) -> int:
    """Return on how many ranks such inputs are spread; 0 where they are not spread.

    Raises:
        ValueError: if two arguments are spread over another number of ranks.
    """
    counts = {len(value.values) for value in inputs.values() if isinstance(value, EachRank)}
    if len(counts) > 1:
        raise ValueError(f"every argument is spread over as many ranks; got {sorted(counts)}")
    return next(iter(counts), 0)


def on_ranks(
    function: Callable[..., Any], per_rank: list[list[Any]], traffic: list[Any]
) -> tuple[Any, ...]:
    """Return what each rank returns; what rank r yields is sent to rank r + 1.

    All ranks take a step together, so one that yields less often than another is an error.

    Args:
        function: called once for each rank; gives a generator.
        per_rank: the arguments of each rank.
        traffic: gets a tuple for each step, what each rank handed on, as plain data.
    """
    running: list[Generator[Any, Any, Any]] = [function(*given) for given in per_rank]
    received: list[Any] = [None] * len(running)
    for _ in range(MOST_STEPS):
        handed_on, returned = [], []
        for generator, value in zip(running, received, strict=True):
            try:
                handed_on.append(generator.send(value))
            except StopIteration as end:
                returned.append(end.value)
        if returned and handed_on:
            raise RuntimeError(
                f"{len(returned)} of {len(running)} ranks returned while the others still waited"
            )
        if returned:
            return tuple(returned)
        traffic.append(tuple(plain(value) for value in handed_on))
        received = [handed_on[rank - 1] for rank in range(len(running))]
    raise RuntimeError(f"after {MOST_STEPS} steps no rank has returned")
