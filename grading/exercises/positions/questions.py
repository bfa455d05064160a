"""The chapter's questions: two predictions, and a bug to find."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.positions.rotation_steps import STEPS
from grading.exercises.shared.questions import (
    BROKEN,
    RIGHT,
    Diagnosis,
    asked,
    near,
    number_near,
    weight_near,
)
from grading.late import Tensor, torch

__all__ = ["BUGS", "FIND_THE_BUG", "NEWEST", "PREDICT_NEWEST", "PREDICT_TURN", "SLOWEST"]

#: 2π · 10000^(62/64); the tests compute it again.
SLOWEST = 47_117


def _about(value: float) -> Any:
    return near(value, 0.06 * value)


PREDICT_TURN = Exercise(
    name="predict_slowest_turn", slug="positions", task="predict-turn",
    title="Once around", kind="predict", points=0.25, difficulty=2, importance=3, minutes=5,
    parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 47_117, equation="eq-wavelength",
    judge=number_near(SLOWEST, 0.12 * SLOWEST, "A number of positions is above 0", 0), probes=asked,
    next_rung=(
        "A model that was trained on 4096 positions has seen a twelfth of that turn, and nothing "
        "of the rest."
    ),
    misconceptions=(
        Misconception(code="TURN-BASE", wrong=lambda: 10_000, recognise=_about(10_000), sentence=(
            "The base is how much slower the last pair would be than the first, if there were one "
            "pair more; an angle of one radian. A whole turn has 2π of them.")),
        Misconception(code="TURN-FULL", wrong=lambda: 62_832, recognise=_about(62_832), sentence=(
            "That is 2π times the base: the turn of a pair with the exponent 1. With 32 pairs the "
            "last exponent is 62/64.")),
        Misconception(code="TURN-FIRST", wrong=lambda: 6.28, recognise=near(6.3, 0.3), sentence=(
            "The fastest pair goes around in six positions. The slowest is asked for.")),
        Misconception(code="TURN-RADIAN", wrong=lambda: 7499, recognise=_about(7499), sentence=(
            "So far it turns by one radian. A whole turn has 2π of them.")),
        Misconception(code="TURN-HALFEXP", wrong=lambda: 544, recognise=_about(544), sentence=(
            "Here the last exponent is 31/64. Pair i has 2i / D, so pair 31 has 62/64.")),
    ),
    alternatives=(lambda: 2 * math.pi * 10_000 ** (62 / 64), lambda: torch.tensor(47_000.0)),
)  # fmt: skip

#: The weight of the newest of eight keys with equal products, at the slope 1/2.
NEWEST = 0.401

PREDICT_NEWEST = Exercise(
    name="predict_newest_weight", slug="positions", task="predict-newest",
    title="The newest of eight", kind="predict", points=0.25, difficulty=2, importance=3,
    minutes=5, parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: NEWEST, equation="eq-alibi", judge=weight_near(NEWEST, 0.015), probes=asked,
    next_rung="Each step back costs a factor of e to the power −1/2, 0.61, as far as you look.",
    misconceptions=(
        Misconception(code="NEWEST-EQUAL", wrong=lambda: 0.125, recognise=near(0.125, 0.01),
                      sentence=(
            "So it is without a bias: eight equal weights. The penalty makes older keys lose.")),
        Misconception(code="NEWEST-OLDEST", wrong=lambda: 0.012, recognise=near(0.012, 0.004),
                      sentence=(
            "That is the oldest key's weight. A famous survey prints the penalties in that order; "
            "they grow with the distance, and the newest key has none.")),
        Misconception(code="NEWEST-HALF", wrong=lambda: 0.5, recognise=near(0.5, 0.012), sentence=(
            "Then each step back would halve the weight. A penalty of 1/2 is taken from the score, "
            "so a step back multiplies the weight by e to the power −1/2.")),
    ),
    alternatives=(
        lambda: (1 - math.exp(-0.5)) / (1 - math.exp(-4)),
        lambda: (-0.5 * torch.arange(8.0)).softmax(0)[0],
    ),
)  # fmt: skip

#: The sentences to choose from: code -> what went wrong.
BUGS = {
    "TWO-LAYOUTS": "The cosines are laid out for neighbours, and the halves are exchanged.",
    "WRONG-WAY": "The pairs turn by −θ instead of +θ.",
    "HALF-EXPONENT": "The frequencies have the exponent i / D instead of 2i / D.",
    "FROM-ONE": "The first row is turned as position 1 and not as position 0.",
}


def _broken(x: Tensor) -> Any:
    """Re-made after github.com/raiyanyahya/how-to-train-your-gpt/pull/7; none of its code."""
    return STEPS.wrong("ROPE-TABLES")[0](x, torch.arange(len(x)), 100.0)


def _right(x: Tensor) -> Any:
    return STEPS.answer()(x, torch.arange(len(x)), 100.0)


def _inputs(T: int = 3, D: int = 4, seed: int = 2) -> tuple[Tensor, ...]:
    return (torch.randn(T, D, generator=torch.Generator().manual_seed(seed)),)


def _blind() -> tuple[Tensor, ...]:
    return _inputs(D=2)  # one pair: both layouts are the same


_DIAGNOSIS = Diagnosis(code="TWO-LAYOUTS", bugs=BUGS, inputs=("x",), shown=_inputs)

FIND_THE_BUG = Exercise(
    name="diagnose_rotation", slug="positions", task="bug", title="Find the bug",
    kind="bug", points=0.5, difficulty=2, importance=3, minutes=15, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-rope", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view, functions={BROKEN: _broken, RIGHT: _right},
    next_rung="Two lines that are right by themselves: test lengths, and scores at two distances.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-WAY", "WRONG-WAY", (
            "Whichever way a pair turns, it keeps its length. In the trace lengths change.")),
        _DIAGNOSIS.mistake("BUG-EXPONENT", "HALF-EXPONENT", (
            "Other frequencies turn pairs further or less far. Lengths stay, and they change in "
            "the trace.")),
        _DIAGNOSIS.mistake("BUG-FROMONE", "FROM-ONE", (
            "Then the first row would be turned too. In the trace it comes back as it was.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "TWO-LAYOUTS", (
            "The mistake is the right one, but on these inputs it cannot be seen, as with rows of "
            "one pair, or with a single row, which stands at position 0."), shown=_blind),
    ),
    alternatives=(
        _DIAGNOSIS.answer(shown=lambda: _inputs(2, 6, 5)),
        lambda: ["TWO-LAYOUTS", list(_inputs(5, 8, 1))],
    ),
)  # fmt: skip
