"""The chapter's questions: a prediction, and a bug to find."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.multi_head_attention.head_steps import STEPS
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked, near, number_near
from grading.late import Tensor, torch

__all__ = ["BUGS", "FIND_THE_BUG", "PREDICT", "SHARE"]

#: 22,387,937,280 of 174,604,259,328 parameters; the tests count again.
SHARE = 0.128


PREDICT = Exercise(
    name="predict_share_of_twelve", slug="multi-head-attention", task="predict",
    title="Twelve layers of 96", kind="predict", points=0.5, difficulty=1, importance=3,
    minutes=5, parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 0.128, equation="eq-gpt3-layer",
    judge=number_near(SHARE, 0.012, "A share lies between 0 and 1", 0, 1), probes=asked,
    next_rung=(
        "So twelve layers of that width are not the whole model. Task 11 counts both to the last "
        "digit."
    ),
    misconceptions=(
        Misconception(code="SHARE-ALL", wrong=lambda: 1.0, recognise=near(1.0, 0.05), sentence=(
            "That would need layers that weigh next to nothing. Here they hold nearly all: 96 "
            "layers of one size make the model.")),
        Misconception(code="SHARE-HALF", wrong=lambda: 0.5, recognise=near(0.5, 0.1), sentence=(
            "The tables of tokens and positions would have to hold nearly half of the model. They "
            "hold 0.4 %: 52,305 rows of 12,288 numbers.")),
    ),
    alternatives=(lambda: 0.125, lambda: torch.tensor(0.13)),
)  # fmt: skip

#: The sentences to choose from: code -> what went wrong.
BUGS = {
    "ROOT-OF-C": "The scores are divided by the root of C instead of D.",
    "MERGE-MIXES": "The heads' outputs are reshaped without moving the positions to the front.",
    "HEADS-AVERAGED": "The heads' outputs are averaged instead of put side by side.",
    "NO-OUTPUT-MATRIX": "The output is not multiplied by w_o.",
}


def _broken(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor) -> Any:
    """Re-made after github.com/jsbaan/transformer-from-scratch/pull/6; none of its code."""
    return STEPS.wrong("MERGE-NOTRANSP")[0](x, w_q, w_k, w_v, w_o, 2)


def _right(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor) -> Any:
    return STEPS.answer()(x, w_q, w_k, w_v, w_o, 2)


def _inputs(T: int = 3, seed: int = 2) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(T, 4, generator=generator)
    return (x, *(torch.randn(4, 4, generator=generator) for _ in range(4)))


def _blind() -> tuple[Tensor, ...]:
    return _inputs(T=1)  # one position cannot be mixed with another


_DIAGNOSIS = Diagnosis(
    code="MERGE-MIXES", bugs=BUGS, inputs=("x", "w_q", "w_k", "w_v", "w_o"), shown=_inputs
)

FIND_THE_BUG = Exercise(
    name="diagnose_two_heads", slug="multi-head-attention", task="bug", title="Find the bug",
    kind="bug", points=0.5, difficulty=2, importance=2, minutes=15, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-split", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view, functions={BROKEN: _broken, RIGHT: _right},
    next_rung="A model that is trained with this mistake learns around it, so no loss tells.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-ROOT", "ROOT-OF-C", (
            "A wrong root makes a head read more evenly. In the trace each position reads itself "
            "alone, whatever the scores are.")),
        _DIAGNOSIS.mistake("BUG-AVERAGED", "HEADS-AVERAGED", (
            "Averages of 1 and 3 would be 2, and an average loses one half of the row. In the "
            "trace every number is still there, in another place.")),
        _DIAGNOSIS.mistake("BUG-NOWO", "NO-OUTPUT-MATRIX", (
            "w_o is the identity in the trace: with it and without it the output is the same.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "MERGE-MIXES", (
            "The mistake is the right one, but on these inputs it cannot be seen, as with a single "
            "position, or where nothing is left behind w_o."), shown=_blind),
    ),
    alternatives=(
        _DIAGNOSIS.answer(shown=lambda: _inputs(2, 5)),
        lambda: ["MERGE-MIXES", list(_inputs(5, 1))],
    ),
)  # fmt: skip
