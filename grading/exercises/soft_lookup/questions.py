"""The chapter's questions: two predictions, and a bug to find."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.questions import (
    BROKEN,
    RIGHT,
    Diagnosis,
    asked,
    near,
    number_near,
    weight_near,
)
from grading.late import Tensor, late, torch

__all__ = ["BUGS", "FIND_THE_BUG", "PREDICT_FAR", "PREDICT_HOT"]

library = late("course_lib.softmax")

PREDICT_HOT = Exercise(
    name="predict_hot_share", slug="soft-lookup", task="predict", title="A very hot lookup",
    kind="predict", points=0.25, difficulty=1, importance=2, minutes=5,
    parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 0.33, equation="eq-soft-lookup", judge=weight_near(0.334, 0.02), probes=asked,
    next_rung="Heat makes all keys alike. What is left is the mean of the values.",
    misconceptions=(
        Misconception(code="HOT-NEAREST", wrong=lambda: 1.0, recognise=near(1.0, 0.1), sentence=(
            "That is a cold lookup. A large temperature divides all distances to nearly 0, and "
            "then no key is nearer than another.")),
        Misconception(code="HOT-NOTHING", wrong=lambda: 0.0, recognise=near(0.0, 0.1), sentence=(
            "The shares of the three keys sum to 1 at every temperature, and the nearest key never "
            "has the smallest.")),
        Misconception(code="HOT-SAME", wrong=lambda: 0.72, recognise=near(0.72, 0.04), sentence=(
            "That is the share at the temperature 1. Divide the distances by 1000 first.")),
    ),
    alternatives=(lambda: 1 / 3, lambda: torch.tensor([0.0, -0.001, -0.004]).softmax(0)[0]),
)  # fmt: skip


PREDICT_FAR = Exercise(
    name="predict_far_height", slug="soft-lookup", task="predict-far", title="Far outside",
    kind="predict", points=0.25, difficulty=2, importance=2, minutes=5,
    parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 12.0, equation="eq-kernel-regression",
    judge=number_near(12, 0.1), probes=asked,
    next_rung="Shares are shared out however far all keys are: a softmax cannot say “nowhere”.",
    misconceptions=(
        Misconception(code="FAR-ZERO", wrong=lambda: 0.0, recognise=near(0.0, 0.5), sentence=(
            "Each kernel is nearly 0 there, but so is their sum. The quotient shares out 1 all the "
            "same.")),
        Misconception(code="FAR-MEAN", wrong=lambda: 7.0, recognise=near(7.0, 0.2), sentence=(
            "That is the mean of the three heights, the limit of a large width. Seen from 50 the "
            "three places look alike, but the exponents are squares: they lie hundreds apart.")),
        Misconception(code="FAR-LINE", wrong=lambda: 444.0, recognise=lambda seen, truth:
                      near(300.0, 250.0)(seen, truth), sentence=(
            "That continues the curve as a line. A mean of measured heights never leaves them: it "
            "lies between 3 and 12.")),
    ),
    alternatives=(lambda: 12, lambda: torch.tensor([6.0, 3.0, 12.0]).max()),
)  # fmt: skip

#: The sentences to choose from: code -> what went wrong.
BUGS = {
    "MASK-UNUSED": "The mask is not used.",
    "MASK-INVERTED": "The mask is read the wrong way round.",
    "SCORE-OF-ZERO": "The scores of the padding become 0.",
    "MASK-AFTER": "The weights are multiplied by the mask, after the softmax.",
}


def _broken(scores: Tensor, mask: Tensor) -> Tensor:
    """Made after github.com/HKUST-KnowComp/R-Net/issues/34; none of its code."""
    return torch.softmax(scores * mask, -1)


def _right(scores: Tensor, mask: Tensor) -> Any:
    may_attend = (mask != 0).expand(scores.shape)
    weights: Tensor = library.masked_softmax(
        scores.reshape(-1, scores.shape[-1]), may_attend.reshape(-1, scores.shape[-1])
    )
    return weights


def _padded() -> tuple[Tensor, ...]:
    return torch.tensor([[1.0, 1.0, 3.0]]), torch.tensor([[1.0, 1.0, 0.0]])


def _whole() -> tuple[Tensor, ...]:
    return torch.tensor([[1.0, 1.0, 3.0]]), torch.ones(1, 3)


_DIAGNOSIS = Diagnosis(
    code="SCORE-OF-ZERO",
    bugs=BUGS,
    inputs=("scores", "mask"),
    shown=_padded,
)

FIND_THE_BUG = Exercise(
    name="diagnose_padding", slug="soft-lookup", task="bug", title="Find the bug", kind="bug",
    points=0.5, difficulty=2, importance=3, minutes=10, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-context", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view, functions={BROKEN: _broken, RIGHT: _right},
    next_rung="A batch of sources of one length hides this mistake completely.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-UNUSED", "MASK-UNUSED", (
            "Without the mask the third place, with the score 3, would have the largest weight. "
            "It has the smallest.")),
        _DIAGNOSIS.mistake("BUG-INVERTED", "MASK-INVERTED", (
            "Read the wrong way round, the mask would leave most to the padding. Compare the three "
            "weights.")),
        _DIAGNOSIS.mistake("BUG-AFTER", "MASK-AFTER", (
            "Behind the softmax the mask would have made the third weight exactly 0.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "SCORE-OF-ZERO", (
            "The mistake is the right one, but on these inputs it cannot be seen, as where nothing "
            "is padding. What must a mask hold so that it matters?"), shown=_whole),
    ),
    alternatives=(
        lambda: ("SCORE-OF-ZERO", (torch.tensor([[-1.0, 0.5]]), torch.tensor([[0.0, 1.0]]))),
        lambda: ["SCORE-OF-ZERO", [torch.zeros(2, 3), torch.tensor([[1.0, 1, 0], [1, 0, 0]])]],
    ),
)  # fmt: skip
