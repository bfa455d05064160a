"""hard_lookup: the value of the nearest key."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.soft_lookup.probes import AXES, near, table
from grading.late import Tensor, late, torch

__all__ = ["HARD_LOOKUP"]

library = late("course_lib.lookup")


def _tied(generator: torch.Generator) -> Inputs:
    """Whole numbers: some queries lie between two keys, exactly as far from both."""
    keys = torch.tensor([[0.0, 0.0], [6.0, 0.0], [4.0, 0.0], [0.0, 6.0], [4.0, 0.0]])
    query = torch.tensor([[5.0, 0.0], [3.0, 3.0], [2.0, 0.0], [5.0, 1.0], [4.0, 0.0], [0.0, 3.0]])
    return {"query": query.double(), "keys": keys.double(), "values": normal(generator, 5, 3)}


def _as_wide(generator: torch.Generator) -> Inputs:
    return table(5, 3, 2, 2)(generator)


def _squares(query: Tensor, keys: Tensor) -> Tensor:
    squares: Tensor = (query[:, None] - keys).square().sum(-1)
    return squares


def _found(pick: Any) -> Any:
    """Return a lookup that hands over the values of the keys that were picked."""
    return lambda query, keys, values: values[pick(query, keys)]


def _last(query: Tensor, keys: Tensor) -> Tensor:
    backwards = _squares(query, keys).flip(-1)
    return len(keys) - 1 - backwards.argmin(-1)


def _tie_mean(query: Tensor, keys: Tensor, values: Tensor) -> Any:
    squares = _squares(query, keys)
    is_nearest = (squares == squares.amin(-1, keepdim=True)).to(values.dtype)
    return is_nearest @ values / is_nearest.sum(-1, keepdim=True)


def _cosine(query: Tensor, keys: Tensor) -> Tensor:
    lengths = query.norm(dim=-1)[:, None] * keys.norm(dim=-1)
    found: Tensor = (query @ keys.mT / lengths.clamp(min=1e-12)).argmax(-1)
    return found


def _one_for_all(query: Tensor, keys: Tensor) -> Tensor:
    return _squares(query, keys).sum(0).argmin().expand(len(query))


def _by_loops(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    rows = []
    for q in query:
        nearest, smallest = 0, float("inf")
        for s, key in enumerate(keys):
            distance = float(((q - key) ** 2).sum())
            if distance < smallest:
                nearest, smallest = s, distance
        rows.append(values[nearest])
    return torch.stack(rows)


def _by_products(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    scores = 2 * query @ keys.mT - keys.square().sum(-1)
    chosen = torch.nn.functional.one_hot(scores.argmax(-1), len(keys))
    return chosen.to(values.dtype) @ values


HARD_LOOKUP = Exercise(
    name="hard_lookup", slug="soft-lookup", task="hard", title="The nearest key",
    kind="implement", points=0.75, difficulty=1, importance=2, minutes=10,
    parameters=("query", "keys", "values"), outputs=(Output(name="found", axes="T Dv"),),
    axes=AXES, reference=lambda query, keys, values: library.hard_lookup(query, keys, values),
    equation="eq-hard-lookup", part="course_lib.lookup.hard_lookup",
    next_rung="Which key wins jumps from one to the next. The next lookup slides.",
    probes=(
        Probe(name="seven queries, nine keys", draw=table(7, 9, 4, 5), gradient=True, single=True,
              sizes={"T": 7, "S": 9, "D": 4, "Dv": 5}),
        Probe(name="each query close to one key", draw=near(10, 6, 3, 4), half=True,
              sizes={"T": 10, "S": 6, "D": 3, "Dv": 4}),
        Probe(name="queries as far from one key as from another", draw=_tied,
              sizes={"T": 6, "S": 5, "D": 2, "Dv": 3}),
        Probe(name="twelve queries, two keys", draw=table(12, 2, 5, 1),
              sizes={"T": 12, "S": 2, "D": 5, "Dv": 1}),
        Probe(name="values as wide as keys", draw=_as_wide, edge=True),
        Probe(name="two queries, three keys, D = 1", draw=table(2, 3, 1, 2), edge=True),
    ),
    misconceptions=(
        Misconception(code="HARD-FARTHEST", wrong=_found(lambda q, k: _squares(q, k).argmax(-1)),
                      sentence=(
            "The farthest key is taken. A distance is small where two vectors are alike.")),
        Misconception(code="HARD-DOT", wrong=_found(lambda q, k: (q @ k.mT).argmax(-1)), sentence=(
            "The key with the largest product is taken. A long key wins there from far away; the "
            "nearest one is asked for.")),
        Misconception(code="HARD-COSINE", wrong=_found(_cosine), sentence=(
            "The key with the smallest angle is taken, however far away it lies. The nearest one "
            "is asked for.")),
        Misconception(code="HARD-L1", wrong=_found(
            lambda q, k: (q[:, None] - k).abs().sum(-1).argmin(-1)), also=(
            _found(lambda q, k: (q[:, None] - k).abs().amax(-1).argmin(-1)),), sentence=(
            "Distances are sums or maxima of absolute differences. Euclid's adds up their "
            "squares, and another key may be the nearest.")),
        Misconception(code="HARD-SIGNED", wrong=_found(
            lambda q, k: (q[:, None] - k).sum(-1).argmin(-1)), also=(
            _found(lambda q, k: (q[:, None] - k).sum(-1).abs().argmin(-1)),), sentence=(
            "The differences are added up with their signs, so that some of them cancel. Square "
            "each one first.")),
        Misconception(code="HARD-LAST", wrong=_found(_last), sentence=(
            "Of keys that are equally near the last one is taken. The contract asks for the "
            "first.")),
        Misconception(code="HARD-TIEMEAN", wrong=_tie_mean, sentence=(
            "Of keys that are equally near all values are mixed. The contract asks for the value "
            "of the first.")),
        Misconception(code="HARD-ONE", wrong=_found(_one_for_all), sentence=(
            "All queries get the same value. Each looks for its own nearest key.")),
        Misconception(code="HARD-KEYS", wrong=lambda query, keys, values:
                      keys[_squares(query, keys).argmin(-1)], sentence=(
            "The nearest key itself is returned. What a lookup hands over is that key's value.")),
        Misconception(code="HARD-AXIS", wrong=_found(lambda q, k: _squares(q, k).argmin(0)),
                      sentence=(
            "For each key the nearest query is looked for. It is the other way round: one key for "
            "each query.")),
    ),
    alternatives=(
        _by_loops, _by_products,
        lambda query, keys, values: values[
            torch.linalg.vector_norm(query[:, None, :] - keys[None], dim=2).min(dim=1).indices],
    ),
)  # fmt: skip
