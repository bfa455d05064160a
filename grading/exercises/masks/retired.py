"""What older copies of the first notebook ask: inputs on which wrong masked attentions show."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Output
from grading.exercises.masks.scaled_dot_product import SDPA
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.chosen_inputs import ChosenInputs
from grading.exercises.shared.questions import asked
from grading.late import torch

__all__ = ["INPUTS_FOR_ATTENTION"]

_CANDIDATES = Candidates(of=SDPA, share=0.95)
_CHOSEN = ChosenInputs(
    candidates=_CANDIDATES,
    most=3,
    kinds={
        "query": "floats",
        "key": "floats",
        "value": "floats",
        "may_attend": "booleans or None",
    },
)
Sets = list[tuple[Any, ...]]


def _random(T: int, S: int, D: int, Dv: int) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(0)
    sizes = (T, D), (S, D), (S, Dv)
    return tuple(torch.randn(*size, generator=generator) for size in sizes)


def _far() -> tuple[Any, ...]:
    """Scores of some thousands, above 0 in one row and below 0 in another."""
    query, key, value = _random(3, 5, 2, 4)
    key[:, 0] = 2 + torch.linspace(-3, 1, 5)
    query[0, 0], query[1, 0] = 4000.0, -4000.0
    return query, key, value


def _masked(*, empty: bool = False, rows: int = 3) -> Any:
    generator = torch.Generator().manual_seed(3)
    may_attend = torch.rand(rows, 5, generator=generator) > 0.4
    may_attend[:, 0], may_attend[:, 1] = True, False
    may_attend[2:] = may_attend[2:] & (not empty)
    return may_attend


def _strong() -> tuple[Any, ...]:
    """One query must not read the key that would win by far; one may read only low scores."""
    query, key, value = _random(3, 5, 2, 4)
    key[:, 0] = 2 + torch.linspace(0, 1, 5)
    query[0, 0], query[1, 0] = -8000.0, 8000.0
    may_attend = torch.ones(3, 5, dtype=torch.bool)
    may_attend[0, 0], may_attend[1, 4], may_attend[2] = False, False, False
    return query, key, value, may_attend


def _plain() -> tuple[Any, ...]:
    return (*_random(3, 5, 4, 2), None)


def _batch() -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(1)
    shapes = (2, 3, 4, 2), (2, 3, 5, 2), (2, 3, 5, 6)
    padding = torch.arange(5) < torch.tensor([5, 3]).reshape(2, 1, 1, 1)
    return (*(torch.randn(*shape, generator=generator) for shape in shapes), padding)


def _with(may_attend: Any) -> tuple[Any, ...]:
    return (*_random(3, 5, 4, 2), may_attend)


def _ones(*rows: int) -> tuple[Any, ...]:
    return (*(torch.ones(number, 3) for number in rows), None)


def _sets(*makers: Answer) -> Answer:
    return lambda: [make() for make in makers]


def _empty() -> tuple[Any, ...]:
    return _with(_masked(empty=True))


def _some() -> tuple[Any, ...]:
    return _with(_masked())


def _far_plain() -> tuple[Any, ...]:
    return (*_far(), None)


INPUTS_FOR_ATTENTION = Exercise(
    name="inputs_for_attention", slug="masks", task="inputs",
    title="Inputs that catch", kind="test", points=1.0, difficulty=2, importance=3, minutes=20,
    parameters=(), outputs=(Output(name="sets", kind="any"),),
    equation="queries-keys-values#eq-sdpa", probes=asked,
    reference=_sets(_strong, _batch, _plain), functions=_CHOSEN.functions, laws=_CHOSEN.laws,
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
            "INPUTS-NOMASK", "No mistake with a mask shows: functions pass that ignore it, or read "
            "it the wrong way round. Give may_attend in some set.",
            _sets(_plain), _sets(_far_plain), _sets(_plain, _far_plain),
        ),
        matched(
            "INPUTS-NOEMPTY", "Functions pass that give NaN or a mean to a query with nothing to "
            "read. Let one whole row of may_attend be False.",
            _sets(_some), _sets(_some, _plain), _sets(_some, _far_plain),
            _sets(_some, _batch),
        ),
        matched(
            "INPUTS-MILD", "Functions pass that need a mask of the shape of the scores, and "
            "such that make a forbidden score low and not low enough. Let a mask broadcast, and "
            "let a forbidden key score thousands above the others, or the others thousands below "
            "0.",
            _sets(_empty), _sets(_empty, _plain), _sets(_empty, _far_plain),
        ),
    ),
    alternatives=(
        lambda: [_strong(), _batch()],
        lambda: (_plain(), _strong(), _with(_masked(rows=1))),
    ),
)  # fmt: skip
