"""The chapter's questions: a prediction, and a bug to find."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.questions import BROKEN, RIGHT, Diagnosis, asked, near, number_near
from grading.late import Tensor, torch

__all__ = ["BUGS", "FIND_THE_BUG", "NOTHING_LEARNT", "PREDICT"]

#: The loss of GPT-2's vocabulary where all logits are equal: ln 50,257.
NOTHING_LEARNT = math.log(50_257)


PREDICT = Exercise(
    name="predict_first_loss", slug="training", task="predict",
    title="Predict: before the first step", kind="predict", points=0.5, difficulty=1, importance=3,
    minutes=5, parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: NOTHING_LEARNT, equation="eq-surprise",
    judge=number_near(NOTHING_LEARNT, 0.1, "A surprise is never below 0", 0), probes=asked,
    next_rung="The next task measures what becomes of it where the logits are not equal.",
    misconceptions=(
        Misconception(code="FIRST-BITS", wrong=lambda: math.log2(50_257),
                      recognise=near(15.617, 0.1), sentence=(
            "That is the number in bits, with the logarithm to base 2. The loss is measured in "
            "nats, with the natural one.")),
        Misconception(code="FIRST-DIGITS", wrong=lambda: math.log10(50_257),
                      recognise=near(4.701, 0.05), sentence=(
            "That is the logarithm to base 10. The loss is measured in nats, with the natural "
            "one.")),
        Misconception(code="FIRST-SHARE", wrong=lambda: 1 / 50_257, recognise=near(0.0, 0.001),
                      sentence=(
            "That is the weight of each token, or no surprise at all. The loss is minus the "
            "logarithm of that weight.")),
        Misconception(code="FIRST-WHOLE", wrong=lambda: 50_257.0, recognise=near(50_257, 2.0),
                      sentence=(
            "That is the perplexity: among so many tokens the model hesitates. The loss is its "
            "logarithm.")),
        Misconception(code="FIRST-ONE", wrong=lambda: 1.0, recognise=near(1.0, 0.05), sentence=(
            "A loss of 1 would be a model that gives the right token more than a third of the "
            "weight. One that knows nothing shares it among all tokens alike.")),
    ),
    alternatives=(lambda: 10.82, lambda: torch.tensor(10.8)),
)  # fmt: skip

#: The sentences to choose from: code -> what went wrong.
BUGS = {
    "SOFTMAX-TWICE": "The logits go through a softmax before the loss, which has one of its own.",
    "NO-LOGARITHM": "The weights are averaged without a logarithm.",
    "WRONG-CLASS": "The weight of another class is looked up than that of the right one.",
    "LOGITS-CUT": "Large logits are cut off before the softmax.",
}


def _broken(logits: Tensor) -> Any:
    """Re-made after github.com/ariecattan/SciCo/issues/2; none of its code."""
    return -logits.softmax(-1).log_softmax(-1)[:, 0].mean()


def _right(logits: Tensor) -> Any:
    return -logits.log_softmax(-1)[:, 0].mean()


def _inputs() -> tuple[Tensor, ...]:
    return (torch.tensor([[30.0, 0.0, 0.0, 0.0], [2.0, 1.0, 0.0, -1.0]]),)


def _blind() -> tuple[Tensor, ...]:
    """Return rows in which all logits are equal: a softmax leaves them equal."""
    return (torch.tensor([[0.0, 0.0, 0.0, 0.0], [5.0, 5.0, 5.0, 5.0]]),)


_DIAGNOSIS = Diagnosis(code="SOFTMAX-TWICE", bugs=BUGS, inputs=("logits",), shown=_inputs)

FIND_THE_BUG = Exercise(
    name="diagnose_stuck_loss", slug="training", task="bug", title="Find the bug: a real case",
    kind="bug", points=0.5, difficulty=2, importance=3, minutes=10, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-lm-loss", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view, functions={BROKEN: _broken, RIGHT: _right},
    next_rung="A loss that cannot come below a number is worth that number's explanation.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-NOLOG", "NO-LOGARITHM", (
            "Without a logarithm four equal logits would give a quarter. In the trace they give "
            "1.3863, which is ln 4.")),
        _DIAGNOSIS.mistake("BUG-CLASS", "WRONG-CLASS", (
            "With another class's weight, the loss would grow without an end as the first logit "
            "does. In the trace it falls, but not to 0.")),
        _DIAGNOSIS.mistake("BUG-CUT", "LOGITS-CUT", (
            "Where large logits are cut, small ones would still give the right loss. In the trace "
            "logits of 2 and 0 give too much already.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "SOFTMAX-TWICE", (
            "The mistake is the right one, but on these inputs it cannot be seen, as where all "
            "logits of a row are equal: a softmax leaves them equal."), shown=_blind),
    ),
    alternatives=(
        _DIAGNOSIS.answer(shown=lambda: (torch.tensor([[3.0, 0.0]]),)),
        lambda: ["SOFTMAX-TWICE", [torch.randn(5, 7, generator=torch.Generator().manual_seed(1))]],
    ),
)  # fmt: skip
