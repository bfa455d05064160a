"""inputs_that_catch: inputs that a learner chooses, on which wrong attentions show."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Output
from grading.exercises.queries_keys_values.unmasked import ATTENTION
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.chosen_inputs import ChosenInputs
from grading.exercises.shared.questions import asked
from grading.late import torch

__all__ = ["INPUTS_THAT_CATCH"]

_CANDIDATES = Candidates(of=ATTENTION, share=0.95)
_CHOSEN = ChosenInputs(
    candidates=_CANDIDATES,
    most=3,
    kinds={"query": "floats", "key": "floats", "value": "floats"},
)


def _random(T: int, S: int, D: int, Dv: int, *leading: int) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(0)
    sizes = (T, D), (S, D), (S, Dv)
    return tuple(torch.randn(*leading, *size, generator=generator) for size in sizes)


def _far() -> tuple[Any, ...]:
    """Scores of some thousands, above 0 in one row and below 0 in another."""
    query, key, value = _random(3, 5, 2, 4)
    key[:, 0] = 2 + torch.tensor([0.3, -3.0, 1.0, -1.0, 0.0])
    query[0, 0], query[1, 0] = 4000.0, -4000.0
    return query, key, value


def _plain() -> tuple[Any, ...]:
    return _random(3, 5, 4, 2)


def _heads() -> tuple[Any, ...]:
    return _random(4, 5, 6, 7, 2, 3)


def _ones(*rows: int) -> tuple[Any, ...]:
    return tuple(torch.ones(number, 3) for number in rows)


def _sets(*makers: Answer) -> Answer:
    return lambda: [make() for make in makers]


INPUTS_THAT_CATCH = Exercise(
    name="inputs_that_catch", slug="queries-keys-values", task="test",
    title="Inputs that catch", kind="test", points=1.0, difficulty=2, importance=3, minutes=20,
    parameters=(), outputs=(Output(name="sets", kind="any"),), equation="eq-sdpa", probes=asked,
    reference=_sets(_far, _heads), functions=_CHOSEN.functions, laws=_CHOSEN.laws,
    judge=_CHOSEN.judge, view=_CHOSEN.view,
    next_rung="Keep these sets: every later attention of the course can be tried on them.",
    misconceptions=(
        matched(
            "INPUTS-EQUAL", "No scale shows on them: divided by whatever, the weights stay the "
            "same, as they do where all keys are equal. Draw random numbers.",
            _sets(lambda: _ones(3, 3, 3)), _sets(lambda: _ones(3, 5, 5)),
            _sets(lambda: _ones(1, 1, 1)),
        ),
        matched(
            "INPUTS-SMALL", "Functions pass that go wrong on large scores only: exponentials "
            "without the row's maximum are right as long as they are finite. Let some scores be "
            "thousands.",
            _sets(_plain), _sets(_heads), _sets(_plain, _heads),
        ),
    ),
    alternatives=(
        lambda: [_heads(), _plain(), _far()],
        lambda: (tuple(torch.stack([one, one]) for one in _far()), _heads()),
    ),
)  # fmt: skip
