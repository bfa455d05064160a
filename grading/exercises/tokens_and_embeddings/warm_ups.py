"""A short task from the chapters before: weights that are all on one key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe
from grading.late import Tensor, torch
from grading.observation.values import Array

__all__ = ["ALL_ON_ONE"]


def _ids(S: int, *shape: int, below: int = 0) -> Any:
    """Draw numbers of keys, key 0 among them, and none of the last so many keys."""

    def draw(generator: torch.Generator) -> Inputs:
        ids = torch.randint(0, S - below, shape, generator=generator)
        ids.view(-1)[0], ids.view(-1)[-1] = S - below - 1, 0
        return {"ids": ids, "S": S}

    return draw


def _within(inputs: Inputs) -> Inputs:
    """Let the keys be as many as their numbers need, where they were cut down."""
    ids = inputs["ids"]
    assert isinstance(ids, Array)
    assert ids.numbers is not None
    return inputs | {"S": max(inputs["S"], int(ids.numbers.max(initial=0)) + 1)}


def _marked(ids: Tensor, S: int) -> Tensor:
    return torch.nn.functional.one_hot(ids, S).double()


def _by_rows(ids: Tensor, S: int) -> Tensor:
    return torch.eye(S, dtype=torch.float64)[ids]


def _by_comparing(ids: Tensor, S: int) -> Tensor:
    return (ids[..., None] == torch.arange(S)).float()


def _by_scatter(ids: Tensor, S: int) -> Tensor:
    return torch.zeros(*ids.shape, S).scatter(-1, ids[..., None], 1.0)


def _turned(ids: Tensor, S: int) -> Tensor:
    return _marked(ids, S).mT


def _own_places(ids: Tensor, S: int) -> Tensor:
    places = torch.arange(ids.shape[-1]) % S
    return _marked(places, S).expand(*ids.shape, -1)


def _other_sizes(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise rows that hold the 1 where it belongs, and end behind the largest number."""
    shorter = 0
    for name, view in seen.items():
        right = truth[name][0]
        if not isinstance(view, list) or view[0].shape[:-1] != right.shape[:-1]:
            return False
        mine = view[0]
        columns = mine.shape[-1]
        needed = int(right.argmax(-1).max()) + 1
        if columns != needed or not np.array_equal(mine, right[..., :columns]):
            return False
        shorter += columns < right.shape[-1]
    return shorter > 0


ALL_ON_ONE = Exercise(
    name="all_on_one", slug="tokens-and-embeddings", task="warm-up", kind="warm-up",
    title="Warm-up: all weight on one key", points=0.25, difficulty=1, importance=2, minutes=5,
    parameters=("ids", "S"), outputs=(Output(name="weights", axes="... T S"),),
    axes={"ids": "... T"}, fitted=_within, reference=_marked, equation="eq-one-hot",
    next_rung="Weights times values: what does each query take home?",
    probes=(
        Probe(name="a batch", draw=_ids(5, 3, 4), sizes={"B": 3, "T": 4, "S": 5}),
        Probe(name="one sequence, and nobody wants the last two keys", draw=_ids(7, 6, below=2),
              sizes={"T": 6, "S": 7}),
        Probe(name="a batch with heads", draw=_ids(4, 2, 3, 5),
              sizes={"B": 2, "H": 3, "T": 5, "S": 4}),
        Probe(name="as many keys as queries", draw=_ids(3, 3), edge=True),
        Probe(name="one query", draw=_ids(2, 1), edge=True),
    ),
    misconceptions=(
        Misconception(code="ONE-FROMONE", wrong=lambda ids, S: _marked((ids - 1) % S, S), sentence=(
            "The keys are counted from 1, so the weight stands one column too early. Key 0 has "
            "column 0.")),
        Misconception(code="ONE-NEXT", wrong=lambda ids, S: _marked((ids + 1) % S, S), sentence=(
            "The weight stands one column too late.")),
        Misconception(code="ONE-PLACES", wrong=_own_places, sentence=(
            "The ids are not looked at: each query has its weight at the column of its own "
            "place.")),
        Misconception(code="ONE-NUMBER", wrong=lambda ids, S: _marked(ids, S) * ids[..., None],
                      sentence=(
            "The number of the key stands where the weight belongs. The weight is 1, whichever "
            "key it is.")),
        Misconception(code="ONE-OTHERS", wrong=lambda ids, S: 1 - _marked(ids, S), also=(
            lambda ids, S: (1 - _marked(ids, S)) / (S - 1),), sentence=(
            "The key that is named gets 0, and all others get the weight.")),
        Misconception(code="ONE-SOFTMAX", wrong=lambda ids, S: _marked(ids, S).softmax(-1),
                      sentence=(
            "A softmax is applied to the zeros and ones. Its e⁰ = 1 gives every key a weight; "
            "these are weights already.")),
        Misconception(code="ONE-PADZERO", wrong=lambda ids, S: _marked(ids, S)
                      * (ids != 0)[..., None], sentence=(
            "Who wants key 0 gets no weight at all. Key 0 is a key like the others.")),
        Misconception(code="ONE-LARGEST", wrong=lambda ids, S: _marked(ids, int(ids.max()) + 1),
                      recognise=_other_sizes, sentence=(
            "The rows end at the largest number that occurs. They have S columns, also where "
            "nobody wants the last keys.")),
        Misconception(code="ONE-TURNED", wrong=_turned, sentence=(
            "Rows and columns have changed places. A row belongs to a query, a column to a key.")),
        Misconception(code="ONE-SUMMED", wrong=lambda ids, S: _marked(ids, S).sum(-2), also=(
            lambda ids, S: _marked(ids, S).amax(-2), lambda ids, S: _marked(ids, S).mean(-2)),
                      sentence=(
            "All queries share one row. Each has a row of its own.")),
        Misconception(code="ONE-FLAT", wrong=lambda ids, S: _marked(ids.flatten(), S), sentence=(
            "The leading axes are flattened. The shape of the ids stays, with S behind it.")),
    ),
    alternatives=(_by_rows, _by_comparing, _by_scatter),
)  # fmt: skip
