"""Questions that older copies of the notebook still ask; what is asked today is another one."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Output
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked
from grading.late import late, torch

__all__ = ["DIAGNOSE_SCALE"]

attention = late("course_lib.attention.dot_product")

BUGS = {
    "NO-SCALE": "The scores are not scaled at all.",
    "DIVIDES-BY-D": "The scores are divided by D instead of its root.",
    "SCALES-AFTER": "The weights are divided by the root of D, after the softmax.",
    "SCALES-BY-DV": "The root is taken of the values' size.",
}


def _broken(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> Any:
    weights = torch.softmax(query @ key.mT / query.shape[-1], -1)
    return weights @ value, weights


def _inputs(D: int = 9) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    return tuple(torch.randn(5, D, generator=generator) for _ in range(3))


def _blind() -> tuple[torch.Tensor, ...]:
    return _inputs(D=1)  # where D = 1, D and its root are the same


_DIAGNOSIS = Diagnosis(
    code="DIVIDES-BY-D",
    bugs=BUGS,
    inputs=("query", "key", "value"),
    shown=_inputs,
)

DIAGNOSE_SCALE = Exercise(
    name="diagnose_scale", slug="scaling", task="bug", title="Find the bug", kind="bug",
    points=1.0, difficulty=2, importance=2, minutes=15, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-unit-variance", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view,
    functions={
        BROKEN: _broken,
        RIGHT: lambda q, k, v: attention.scaled_dot_product_attention(q, k, v),
    },
    next_rung="Variance 1/D is the trace of this mistake: the weights are too even, not too sharp.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-NOSCALE", "NO-SCALE", (
            "Unscaled scores would have the variance D. Compare with the trace.")),
        _DIAGNOSIS.mistake("BUG-AFTER", "SCALES-AFTER", (
            "Then the rows of weights would not sum to 1. In the trace they do.")),
        _DIAGNOSIS.mistake("BUG-DV", "SCALES-BY-DV", (
            "Then the variance would be D/Dv. Compute it for the sizes of the trace.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "DIVIDES-BY-D", (
            "The mistake is the right one, but on these inputs it cannot be seen: for which D are "
            "D and its root the same?"), shown=_blind),
    ),
    alternatives=(
        lambda: ("DIVIDES-BY-D", (torch.randn(2, 4), torch.randn(3, 4), torch.randn(3, 2))),
        lambda: ["DIVIDES-BY-D", list(_inputs(4))],
    ),
)  # fmt: skip
