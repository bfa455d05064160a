"""The chapter's questions: a prediction, and a bug to find."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked, near, number_near
from grading.late import Tensor, torch

__all__ = ["BUGS", "FIND_THE_BUG", "LEFT_OF_IT", "PREDICT"]

#: The cosine of an embedding and a post-norm stream behind twelve writes; the tests measure it.
LEFT_OF_IT = 2.0**-6


PREDICT = Exercise(
    name="predict_embedding_left", slug="transformer-block", task="predict",
    title="Twelve sums, each normalised", kind="predict", points=0.5, difficulty=2, importance=3,
    minutes=5, parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: LEFT_OF_IT, equation="eq-places",
    judge=number_near(LEFT_OF_IT, 0.008, "A cosine lies between −1 and 1", -1, 1), probes=asked,
    next_rung="The next task measures it, and what a pre-norm stream keeps.",
    misconceptions=(
        Misconception(code="LEFT-LIKEPRE", wrong=lambda: 1 / math.sqrt(13),
                      recognise=near(0.277, 0.02), sentence=(
            "So much is left where nothing is normalised: one of thirteen equal parts, and the "
            "root of 1/13. Here every sum halves what was there before, measured in squares.")),
        Misconception(code="LEFT-SHARE", wrong=lambda: 1 / 13, recognise=near(0.077, 0.008),
                      sentence=(
            "Thirteen vectors do not share the stream alike: the latest write makes up half of it, "
            "measured in squares, and what came before them is halved once more by each.")),
        Misconception(code="LEFT-HALVED", wrong=lambda: 2.0**-12, recognise=near(0.0, 0.001),
                      sentence=(
            "The squares are halved twelve times. A cosine compares lengths: take the root of "
            "what is left of the squares.")),
        Misconception(code="LEFT-ALL", wrong=lambda: 1.0, recognise=near(1.0, 0.1), sentence=(
            "That would be a stream that no write can turn. Each of the twelve is as long as the "
            "stream itself.")),
    ),
    alternatives=(lambda: 0.0156, lambda: torch.tensor(0.02)),
)  # fmt: skip

#: The sentences to choose from: code -> what went wrong.
BUGS = {
    "NO-RESIDUAL": "The half's result is not added to anything.",
    "FROM-THE-NORMED": "The half's result is added to the normed vector instead of the stream.",
    "POST-NORM": "The norm stands behind the sum instead of before the half.",
    "NO-NORM": "The half reads the stream without a norm.",
}


def _normed(x: Tensor) -> Tensor:
    return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()


def _broken(x: Tensor, w: Tensor) -> Any:
    """Re-made after github.com/Howuhh/faster-trajectory-transformer/issues/3; none of its code."""
    n = _normed(x)
    return n + n @ w


def _right(x: Tensor, w: Tensor) -> Any:
    return x + _normed(x) @ w


def _inputs(T: int = 3, seed: int = 3) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(rows, 4, generator=generator) for rows in (T, 4))


def _blind() -> tuple[Tensor, ...]:
    """Return rows whose mean square is 1 already: their norm is what they are."""
    return torch.tensor([[1.0, -1.0, 1.0, 1.0]]), torch.eye(4)


_DIAGNOSIS = Diagnosis(code="FROM-THE-NORMED", bugs=BUGS, inputs=("x", "w"), shown=_inputs)

FIND_THE_BUG = Exercise(
    name="diagnose_half_a_block", slug="transformer-block", task="bug", title="Find the bug",
    kind="bug", points=0.5, difficulty=2, importance=2, minutes=10, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-block", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view, functions={BROKEN: _broken, RIGHT: _right},
    next_rung="Such a model trains, and so its author noticed it late.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-NORESIDUAL", "NO-RESIDUAL", (
            "With w of zeros the half gives zeros, and without a sum they would come back. In the "
            "trace something is added to them.")),
        _DIAGNOSIS.mistake("BUG-POSTNORM", "POST-NORM", (
            "Behind a norm every row would have the mean square 1. The second trace's rows have "
            "another.")),
        _DIAGNOSIS.mistake("BUG-NONORM", "NO-NORM", (
            "Without a norm a row ten times as long would come back ten times as long. In the "
            "trace it comes back the same.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "FROM-THE-NORMED", (
            "The mistake is the right one, but on these inputs it cannot be seen, as where every "
            "row has the mean square 1 already, and the norm changes nothing."), shown=_blind),
    ),
    alternatives=(
        _DIAGNOSIS.answer(shown=lambda: (torch.tensor([[3.0, 4.0]]), torch.zeros(2, 2))),
        lambda: ["FROM-THE-NORMED", list(_inputs(5, 1))],
    ),
)  # fmt: skip
