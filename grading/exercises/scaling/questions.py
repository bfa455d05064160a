"""The chapter's questions: a prediction, and a bug to find."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.attention_steps import attention_with
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked, band, near
from grading.late import late, torch

__all__ = ["BUGS", "FIND_THE_BUG", "PREDICT"]

attention = late("course_lib.attention.dot_product")

PREDICT = Exercise(
    name="predict_largest_weight", slug="scaling", task="predict", title="The largest of 64",
    kind="predict", points=0.5, difficulty=1, importance=3, minutes=5,
    parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 0.79, equation="eq-saturation", judge=band(0.79, 0.12), probes=asked,
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

BUGS = {
    "NO-SCALE": "The scores are not scaled at all.",
    "DIVIDES-BY-D": "The scores are divided by D instead of its root.",
    "SCALES-AFTER": "The weights are divided by the root of D, after the softmax.",
    "SCALES-BY-DV": "The root is taken of the values' size.",
}


def _inputs(D: int = 9) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    return tuple(torch.randn(5, D, generator=generator) for _ in range(3))


def _blind() -> tuple[torch.Tensor, ...]:
    return _inputs(D=1)  # where D = 1, D and its root are the same


def _chosen(code: str, inputs: Any = _inputs) -> Any:
    return lambda: (code, inputs())


_DIAGNOSIS = Diagnosis(
    code="DIVIDES-BY-D",
    bugs=BUGS,
    inputs=("query", "key", "value"),
)

FIND_THE_BUG = Exercise(
    name="diagnose_scale", slug="scaling", task="bug", title="Find the bug", kind="bug",
    points=1.0, difficulty=2, importance=2, minutes=15, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_chosen("DIVIDES-BY-D"), equation="eq-unit-variance", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view,
    functions={
        BROKEN: attention_with(scale=lambda q, k, v: 1 / q.shape[-1]),
        RIGHT: lambda q, k, v: attention.scaled_dot_product_attention(q, k, v),
    },
    next_rung="Variance 1/D is the trace of this mistake: the weights are too even, not too sharp.",
    misconceptions=(
        Misconception(code="BUG-NOSCALE", wrong=_chosen("NO-SCALE"),
                      recognise=_DIAGNOSIS.chose("NO-SCALE"), sentence=(
            "Unscaled scores would have the variance D. Compare with the trace.")),
        Misconception(code="BUG-AFTER", wrong=_chosen("SCALES-AFTER"),
                      recognise=_DIAGNOSIS.chose("SCALES-AFTER"), sentence=(
            "Then the rows of weights would not sum to 1. In the trace they do.")),
        Misconception(code="BUG-DV", wrong=_chosen("SCALES-BY-DV"),
                      recognise=_DIAGNOSIS.chose("SCALES-BY-DV"), sentence=(
            "Then the variance would be D/Dv. Compute it for the sizes of the trace.")),
        Misconception(code="BUG-BLIND", wrong=_chosen("DIVIDES-BY-D", _blind),
                      recognise=_DIAGNOSIS.chose("DIVIDES-BY-D"), sentence=(
            "The mistake is the right one, but on these inputs it cannot be seen: for which D are "
            "D and its root the same?")),
    ),
    alternatives=(
        lambda: ("DIVIDES-BY-D", (torch.randn(2, 4), torch.randn(3, 4), torch.randn(3, 2))),
        lambda: ["DIVIDES-BY-D", list(_inputs(4))],
    ),
)  # fmt: skip
