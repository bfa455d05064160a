"""The chapter's questions: a prediction, and a bug to find."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked, near, weight_near
from grading.late import Tensor, late, torch

__all__ = ["BUGS", "FIND_THE_BUG", "PREDICT"]

attention = late("course_lib.attention.dot_product")

PREDICT = Exercise(
    name="predict_largest_weight", slug="scaling", task="predict", title="The largest of 64",
    kind="predict", points=0.5, difficulty=1, importance=3, minutes=5,
    parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 0.79, equation="eq-saturation", judge=weight_near(0.79, 0.12), probes=asked,
    next_rung="A head that reads noise with that much certainty has little left to learn from.",
    misconceptions=(
        Misconception(code="PRED-UNIFORM", wrong=lambda: 1 / 64, recognise=near(1 / 64, 0.03),
                      sentence=(
            "The largest of 64 weights is so small only where they are nearly equal. Scores of "
            "random keys differ by about √64 = 8, and the softmax turns a difference of 8 into a "
            "ratio of 3,000.")),
        Misconception(code="PRED-SCALED", wrong=lambda: 0.11, recognise=near(0.11, 0.05),
                      sentence=(
            "That lies near the answer with the division by √D. The question leaves it out.")),
    ),
    alternatives=(lambda: 0.75, lambda: torch.tensor(0.85)),
)  # fmt: skip

#: The sentences to choose from: code -> what went wrong.
BUGS = {
    "NO-SCALE": "The scores are not scaled at all.",
    "DIVIDES-BY-D": "The scores are divided by D instead of its root.",
    "SCALES-AFTER": "The weights are divided by the root of D, after the softmax.",
    "ROOT-OF-C": "The root is taken of C instead of D.",
}


def _broken(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> Tensor:
    """Re-made after github.com/karpathy/ng-video-lecture/pull/6; none of its code."""
    scores = (x @ w_q) @ (x @ w_k).mT * x.shape[-1] ** -0.5
    return torch.softmax(scores, -1) @ (x @ w_v)


def _right(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> Any:
    return attention.scaled_dot_product_attention(x @ w_q, x @ w_k, x @ w_v)[0]


def _inputs(C: int = 9, D: int = 4) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(5, C, generator=generator)
    return (x, *(torch.randn(C, D, generator=generator) for _ in range(3)))


def _blind() -> tuple[Tensor, ...]:
    return _inputs(C=4, D=4)  # where C = D, their roots are the same


_DIAGNOSIS = Diagnosis(
    code="ROOT-OF-C",
    bugs=BUGS,
    inputs=("x", "w_q", "w_k", "w_v"),
    shown=_inputs,
)

FIND_THE_BUG = Exercise(
    name="diagnose_head_scale", slug="scaling", task="bug", title="Find the bug", kind="bug",
    points=1.0, difficulty=2, importance=2, minutes=15, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-unit-variance", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view, functions={BROKEN: _broken, RIGHT: _right},
    next_rung=(
        "Variance D/C is the trace of this mistake. A head as wide as its input hides it: the "
        "model with one head is right, and with eight heads it is not."
    ),
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-NOSCALE", "NO-SCALE", (
            "Unscaled scores would have the variance D. Compare with the trace.")),
        _DIAGNOSIS.mistake("BUG-DK", "DIVIDES-BY-D", (
            "Then the variance would be D/D², which is 1/16. Compare with the trace.")),
        _DIAGNOSIS.mistake("BUG-AFTER", "SCALES-AFTER", (
            "Then the rows of weights would not sum to 1. In the trace they do.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "ROOT-OF-C", (
            "The mistake is the right one, but on these inputs it cannot be seen, as where C and D "
            "are the same, or all keys or values are equal."), shown=_blind),
    ),
    alternatives=(
        _DIAGNOSIS.answer(shown=lambda: _inputs(C=3, D=2)),
        lambda: ["ROOT-OF-C", list(_inputs(6, 2))],
    ),
)  # fmt: skip
