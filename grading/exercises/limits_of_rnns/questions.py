"""The chapter's questions: a prediction, and a bug to find."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked, near, number_near
from grading.late import Tensor, torch

__all__ = ["BUGS", "FIND_THE_BUG", "PREDICT"]


PREDICT = Exercise(
    name="predict_gradient_norm", slug="limits-of-rnns", task="predict",
    title="Twenty steps back", kind="predict", points=0.5, difficulty=1, importance=3, minutes=5,
    parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 0.12, equation="eq-jacobian",
    judge=number_near(0.9**20, 0.03, "What shrinks at every step ends between 0 and 1", 0, 1),
    probes=asked,
    next_rung="Ten times as many steps leave 7 · 10⁻¹⁰. Nothing learns from that.",
    misconceptions=(
        Misconception(code="FADE-ONCE", wrong=lambda: 0.9, recognise=near(0.9, 0.02), sentence=(
            "That is what one step leaves. Each of the twenty multiplies by 0.9 again.")),
        Misconception(code="FADE-LINEAR", wrong=lambda: 0.0, recognise=near(0.0, 0.02), sentence=(
            "A tenth less at each step is a tenth of what is there, and not of the beginning: the "
            "loss itself becomes smaller, and 0 is never reached.")),
        Misconception(code="FADE-SHARED", wrong=lambda: 0.045, recognise=near(0.045, 0.012),
                      sentence=(
            "This is 0.9 divided by the number of steps. The steps multiply each other.")),
        Misconception(code="FADE-ADDED", wrong=lambda: 0.33, recognise=near(0.333, 0.02),
                      sentence=(
            "One over 1 + 20 · 0.1 falls more slowly. A product of twenty factors of 0.9 falls by "
            "half every seven steps.")),
    ),
    alternatives=(lambda: 0.1, lambda: torch.tensor(0.9) ** 20),
)  # fmt: skip

BUGS = {
    "NO-STATE": "The old state takes no part in the new one.",
    "FIRST-STATE": "Every step starts from the first state again.",
    "ONE-TENSOR": "All rows are one tensor, which each step overwrites.",
    "BACKWARDS": "The sequence is read from its end.",
}


def _sequence(x: Tensor) -> Tensor:
    return x.reshape(-1, 1)


def _broken(x: Tensor) -> Any:
    rows, h = [], torch.zeros(1, dtype=x.dtype)
    for row in _sequence(x):
        h[:] = torch.tanh(row + 0.5 * h)
        rows.append(h)
    return torch.stack(rows)


def _right(x: Tensor) -> Any:
    rows, h = [], torch.zeros(1, dtype=x.dtype)
    for row in _sequence(x):
        h = torch.tanh(row + 0.5 * h)
        rows.append(h)
    return torch.stack(rows)


def _three() -> tuple[Tensor, ...]:
    return (torch.tensor([1.0, 0.0, -1.0]),)


def _one() -> tuple[Tensor, ...]:
    return (torch.tensor([1.0]),)


_DIAGNOSIS = Diagnosis(code="ONE-TENSOR", bugs=BUGS, inputs=("x",), shown=_three)

FIND_THE_BUG = Exercise(
    name="diagnose_states", slug="limits-of-rnns", task="bug", title="Find the bug", kind="bug",
    points=0.5, difficulty=2, importance=2, minutes=15, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-rnn", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view,
    functions={BROKEN: _broken, RIGHT: _right},
    next_rung="Whoever reads the last state alone never sees this bug. Attention reads all.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-NOSTATE", "NO-STATE", (
            "Without the old state each row would follow from its own input: three inputs that "
            "differ would give three rows that differ.")),
        _DIAGNOSIS.mistake("BUG-FIRST", "FIRST-STATE", (
            "If every step started from zeros, the last row would be tanh of the last input. It is "
            "another number, and the right one.")),
        _DIAGNOSIS.mistake("BUG-BACKWARDS", "BACKWARDS", (
            "Read from its end, the sequence would leave other numbers, and rows that differ. Here "
            "the last row is right.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "ONE-TENSOR", (
            "The mistake is the right one, but on these inputs it cannot be seen. How many rows "
            "does it take before one of them can be overwritten?"), shown=_one),
    ),
    alternatives=(
        lambda: ("ONE-TENSOR", (torch.tensor([0.5, 2.0]),)),
        lambda: ["ONE-TENSOR", [torch.randn(5, 1, generator=torch.Generator().manual_seed(0))]],
    ),
)  # fmt: skip
