"""The chapter's questions: a prediction, and a bug to find."""

from __future__ import annotations

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked, near, weight_near
from grading.late import Tensor, late, torch

__all__ = ["BUGS", "FIND_THE_BUG", "PREDICT"]

library = late("course_lib.softmax")

PREDICT = Exercise(
    name="predict_shifted_weight", slug="softmax", task="predict", title="Ten more for everyone",
    kind="predict", points=0.5, difficulty=1, importance=3, minutes=5,
    parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 0.73, equation="eq-softmax", judge=weight_near(0.731, 0.02), probes=asked,
    next_rung="Only differences of scores count. That is what lets us subtract the maximum.",
    misconceptions=(
        Misconception(code="SHIFT-SHARPER", wrong=lambda: 1.0, recognise=near(1.0, 0.05), sentence=(
            "Higher scores do not make the softmax more certain. Both rose by 10, and e¹⁰ "
            "cancels. Multiplying the scores would sharpen it.")),
        Misconception(code="SHIFT-EVEN", wrong=lambda: 0.5, recognise=near(0.52, 0.05), sentence=(
            "These are nearly equal shares, like 11 and 10 themselves. The softmax's follow the "
            "ratio of the exponentials, e¹¹/e¹⁰ = e, and not 11/10.")),
    ),
    alternatives=(lambda: 0.73, lambda: torch.tensor([0.0, 1.0]).softmax(0)[1]),
)  # fmt: skip

BUGS = {
    "NO-MAXIMUM": "No maximum is subtracted.",
    "ONE-MAXIMUM": "One maximum is subtracted from all rows.",
    "WRONG-AXIS": "The sum runs along another axis.",
    "NO-EXPONENTIAL": "The exponential is missing.",
}


def _broken(x: Tensor) -> Tensor:
    exps = (x - x.max()).exp()
    return exps / exps.sum(-1, keepdim=True)


def _apart() -> tuple[Tensor, ...]:
    return (torch.tensor([[0.0, 1.0], [-1000.0, -1001.0]]),)


def _together() -> tuple[Tensor, ...]:
    return (torch.tensor([[0.0, 1.0], [2.0, 1.0]]),)


_DIAGNOSIS = Diagnosis(
    code="ONE-MAXIMUM",
    bugs=BUGS,
    inputs=("x",),
    shown=_apart,
)

FIND_THE_BUG = Exercise(
    name="diagnose_softmax", slug="softmax", task="bug", title="Find the bug", kind="bug",
    points=0.5, difficulty=2, importance=2, minutes=10, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-softmax", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view,
    functions={BROKEN: _broken, RIGHT: lambda x: library.softmax(x)},
    next_rung="Rows of one batch may lie far apart: padding and masks make sure of that.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-NOMAX", "NO-MAXIMUM", (
            "Without any maximum the row near 1000 would have failed as well. Look at it.")),
        _DIAGNOSIS.mistake("BUG-AXIS", "WRONG-AXIS", (
            "Along another axis no row of the trace would sum to 1. The first one does.")),
        _DIAGNOSIS.mistake("BUG-NOEXP", "NO-EXPONENTIAL", (
            "Without the exponential the weights 0.27 and 0.73 could not come from these scores.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "ONE-MAXIMUM", (
            "The mistake is the right one, but on these inputs it cannot be seen. How far below "
            "the maximum of all rows must a row lie to underflow?"), shown=_together),
    ),
    alternatives=(
        lambda: ("ONE-MAXIMUM", (torch.tensor([[500.0, 501.0], [-500.0, -499.0]]),)),
        lambda: ["ONE-MAXIMUM", [torch.tensor([[0.0], [-2000.0]])]],
    ),
)  # fmt: skip
