"""The chapter's questions: a prediction, and a bug to find."""

from __future__ import annotations

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.attention_steps import attention_with, over
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked, near, weight_near
from grading.late import late, torch

__all__ = ["BUGS", "FIND_THE_BUG", "PREDICT"]

attention = late("course_lib.attention.dot_product")

PREDICT = Exercise(
    name="predict_own_weight", slug="queries-keys-values", task="predict",
    title="A query of zeros", kind="predict", points=0.5, difficulty=1, importance=2, minutes=5,
    parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 0.2, equation="eq-weights", judge=weight_near(0.2, 0.005), probes=asked,
    next_rung="A query that asks nothing reads everyone equally.",
    misconceptions=(
        Misconception(code="ZERO-SELF", wrong=lambda: 1.0, recognise=near(1.0, 0.1), sentence=(
            "A weight of 1 is a token that reads itself alone. Its own key is one among five, and "
            "all five scores are 0.")),
        Misconception(code="ZERO-NOTHING", wrong=lambda: 0.0, recognise=near(0.0, 0.02), sentence=(
            "A score of 0 does not make a weight of 0. The softmax turns it into e⁰ = 1, like each "
            "of the other scores.")),
    ),
    alternatives=(lambda: 1 / 5, lambda: torch.tensor(0.2)),
)  # fmt: skip

#: The sentences to choose from: code -> what went wrong.
BUGS = {
    "NO-SCALE": "The scores are not divided by the root of D.",
    "WRONG-AXIS": "The softmax runs over the queries instead of the keys.",
    "MASK-INVERTED": "The mask is read the wrong way round.",
    "WEIGHTS-TRANSPOSED": "The weights are transposed before they meet the values.",
}


def _square() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(3, 2, generator=generator) for _ in range(3))


def _equal_rows() -> tuple[torch.Tensor, ...]:
    return tuple(torch.ones(3, 2) for _ in range(3))


_DIAGNOSIS = Diagnosis(
    code="WRONG-AXIS",
    bugs=BUGS,
    inputs=("query", "key", "value"),
    shown=_square,
)

FIND_THE_BUG = Exercise(
    name="diagnose_attention", slug="queries-keys-values", task="bug",
    title="Find the bug", kind="bug", points=0.75, difficulty=2, importance=2, minutes=15,
    parameters=(), outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-weights", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view,
    functions={
        BROKEN: attention_with(share=over(-2)),
        RIGHT: lambda q, k, v: attention.scaled_dot_product_attention(q, k, v),
    },
    next_rung="Columns that sum to 1 are the trace of this mistake, whatever the sizes.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-SCALE", "NO-SCALE", (
            "Without the division the rows would still sum to 1. Add up the rows and the columns "
            "of the trace.")),
        _DIAGNOSIS.mistake("BUG-MASK", "MASK-INVERTED", (
            "There is no mask in the trace. Add up its rows and its columns.")),
        _DIAGNOSIS.mistake("BUG-TRANSPOSED", "WEIGHTS-TRANSPOSED", (
            "The trace shows the weights before they meet the values. Add up its rows and its "
            "columns.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "WRONG-AXIS", (
            "The mistake is the right one, but on inputs this regular it cannot be seen. Choose "
            "queries and keys that differ from each other, or more keys than queries."),
            shown=_equal_rows),
    ),
    alternatives=(
        lambda: ("WRONG-AXIS", (torch.randn(2, 3), torch.randn(4, 3), torch.randn(4, 1))),
        lambda: ["WRONG-AXIS", [torch.tensor([[1.0], [2.0]])] * 3],
    ),
)  # fmt: skip
