"""masked_softmax: shares over what may be read, and zeros where nothing may."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from grading.exercise import Exercise, Inputs, Law, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.masks.masked_mistakes import STEPS, added_by_hand, filled_by_hand
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.recognising import is_right
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch
from grading.observation.seen import Error

__all__ = ["MASKED_SOFTMAX"]

library = late("course_lib.softmax")

HEADS, RANDOM = "scores with heads, a mask (B, 1, T, S)", "a mask of shape (T, S) at random"
EXAMPLES = "a mask for each example, (B, T, S)"
ROW, COLUMN = "one mask row for all, (1, S)", "a mask of shape (T, 1): some queries read nothing"
PADDING = "a padding mask of shape (B, 1, 1, S)"
LIMITS, NARROW = "a query that may read nothing, and large scores", "scores in float16"
#: Masks that have not the shape of the scores' last two axes.
BROADCAST = (HEADS, PADDING, ROW, COLUMN)
#: What one rounding to float16 costs, several times.
ROUNDED = Tolerance(rtol=5e-3, atol=2e-3)


def _masked(scores: tuple[int, ...], mask: tuple[int, ...]) -> Any:
    """Draw scores and a mask of these shapes; each row may read some key and not another."""

    def draw(generator: torch.Generator) -> Inputs:
        may = torch.rand(*mask, generator=generator) > 0.4
        may[..., 0], may[..., 1] = True, False
        return {"scores": normal(generator, *scores), "may_attend": may}

    return draw


def _some_rows(generator: torch.Generator) -> Inputs:
    may = torch.ones(4, 1, dtype=torch.bool)
    may[1], may[3] = False, False
    return {"scores": normal(generator, 2, 4, 6), "may_attend": may}


def _limits(generator: torch.Generator) -> Inputs:
    """Row 0 must not read a key that would win by far; row 1 may read low scores alone."""
    scores = normal(generator, 4, 6)
    scores[0, 5] += 1e5
    scores[1] -= 1e5
    scores[1, 4] += 1e5
    may = torch.rand(4, 6, generator=generator) > 0.4
    may[:, 1] = True
    may[0, 5], may[1, 4], may[2] = False, False, False
    return {"scores": scores, "may_attend": may}


def _narrow(generator: torch.Generator) -> Inputs:
    """Scores from -100 to 100, and a row that may read nothing."""
    scores = normal(generator, 4, 5)
    scores[0, 3], scores[1, 2], scores[2] = 100.0, -100.0, scores[2] - 20
    may = torch.rand(4, 5, generator=generator) > 0.4
    may[:, 0] = True
    may[0, 3], may[2] = False, False
    return {"scores": scores.half(), "may_attend": may}


def _two(generator: torch.Generator) -> Inputs:
    may = torch.tensor([[True, False], [True, True]])
    return {"scores": normal(generator, 2, 2), "may_attend": may}


def _row_sums(one: Seen) -> str | None:
    weights = one.outputs[0].astype(float)
    reads = np.broadcast_to(one.inputs["may_attend"], weights.shape).any(-1)
    sums, near = weights.sum(-1), 1e-2 if one.outputs[0].dtype == np.float16 else 1e-4
    if np.allclose(sums, reads, rtol=near, atol=near):
        return None
    worst = int(np.abs(sums - reads).argmax())
    got, wanted = float(sums.reshape(-1)[worst]), float(reads.reshape(-1)[worst])
    return f"A row of weights sums to {got:.4g}; it has to sum to {wanted:g}"


def _nothing_forbidden(one: Seen) -> str | None:
    blocked = np.abs(one.outputs[0] * ~one.inputs["may_attend"])
    if not (blocked > 1e-6).any():
        return None
    return f"A key that may not be read has the weight {float(blocked.max()):.4g}"


def _needs_a_whole_mask(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise what raises where the mask has to broadcast, only there, and is right elsewhere."""
    right = [name for name in truth if is_right(seen.get(name), truth[name])]
    raised = [name for name in truth if isinstance(seen.get(name), Error)]
    return (
        RANDOM in right
        and any(name in raised for name in BROADCAST)
        and all(name in right or name in raised for name in (EXAMPLES, *BROADCAST))
        and not any(name in raised for name in truth if name not in (EXAMPLES, *BROADCAST))
    )


def _in_place(scores: Tensor, may_attend: Tensor) -> Tensor:
    weights = scores.masked_fill_(~may_attend, torch.finfo(scores.dtype).min).softmax(-1)
    return weights * may_attend


def _without_room(scores: Tensor, may_attend: Tensor) -> Tensor:
    """Fill with a number that float16 does not hold; PyTorch refuses to."""
    return scores.masked_fill(~may_attend, -1e9).softmax(-1) * may_attend


def _mended_late(scores: Tensor, may_attend: Tensor) -> Tensor:
    return (scores + may_attend.to(scores.dtype).log()).softmax(-1).nan_to_num(nan=0.0)


def _where(scores: Tensor, may_attend: Tensor) -> Tensor:
    low = torch.full_like(scores, torch.finfo(scores.dtype).min)
    weights = torch.softmax(torch.where(may_attend, scores, low), dim=-1)
    return torch.where(may_attend, weights, torch.zeros_like(weights))


def _by_exponentials(scores: Tensor, may_attend: Tensor) -> Tensor:
    wide = scores if scores.dtype == torch.float64 else scores.float()
    top = torch.where(may_attend, wide, -math.inf).amax(-1, keepdim=True)
    top = torch.where(top.isinf(), 0.0, top)
    exps = torch.where(may_attend, (torch.where(may_attend, wide, top) - top).exp(), 0.0)
    total = exps.sum(-1, keepdim=True)
    return (exps / torch.where(total == 0, 1.0, total)).to(scores.dtype)


def _by_infinity(scores: Tensor, may_attend: Tensor) -> Tensor:
    """Let empty rows read all, and take it from them again."""
    reads = may_attend.any(-1, keepdim=True)
    return scores.masked_fill(reads & ~may_attend, -math.inf).softmax(-1) * reads


MASKED_SOFTMAX = Exercise(
    name="masked_softmax", slug="masks", task="softmax", title="A softmax over what may be read",
    kind="implement", points=0.75, difficulty=3, importance=3, minutes=25,
    parameters=("scores", "may_attend"), outputs=(Output(name="weights", axes="... T S"),),
    axes={"scores": "... T S", "may_attend": "... T S"},
    reference=lambda scores, may_attend: library.masked_softmax(scores, may_attend),
    equation="eq-masked-softmax", part="course_lib.softmax.masked_softmax",
    next_rung="With every key allowed it is the softmax, and with one key it gives 1.",
    laws=(
        Law(rule="a key that may not be read has weight 0", broken=_nothing_forbidden),
        Law(rule="each row of weights sums to 1, or to 0 with nothing to read", broken=_row_sums),
    ),
    probes=(
        Probe(name=RANDOM, draw=_masked((3, 5), (3, 5)), gradient=True, single=True, half=True,
              sizes={"T": 3, "S": 5}),
        Probe(name=HEADS, draw=_masked((2, 3, 4, 6), (2, 1, 4, 6)),
              sizes={"B": 2, "H": 3, "T": 4, "S": 6}),
        Probe(name=EXAMPLES, draw=_masked((3, 6, 4), (3, 6, 4)), sizes={"B": 3, "T": 6, "S": 4}),
        Probe(name=PADDING, draw=_masked((2, 3, 4, 5), (2, 1, 1, 5)),
              sizes={"B": 2, "H": 3, "T": 4, "S": 5}),
        Probe(name=ROW, draw=_masked((2, 4, 7), (1, 7)), sizes={"B": 2, "T": 4, "S": 7}),
        Probe(name=COLUMN, draw=_some_rows, sizes={"B": 2, "T": 4, "S": 6}, control=True,
              gradient=True),
        Probe(name=LIMITS, draw=_limits, sizes={"T": 4, "S": 6}, control=True),
        Probe(name=NARROW, draw=_narrow, sizes={"T": 4, "S": 5}, control=True, tolerance=ROUNDED),
        Probe(name="two queries, two keys", draw=_two, edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "ROW-INV", (
            "The mask is read the wrong way round. In may_attend, True means that the key may be "
            "read; nn.MultiheadAttention means the opposite.")),
        mistake(STEPS, "ROW-NOMASK", "The mask is not used: forbidden keys are read."),
        mistake(STEPS, "ROW-ZERO", (
            "Forbidden scores are set to 0. A score of 0 is an ordinary score, e⁰ = 1, and the key "
            "is still read.")),
        mistake(STEPS, "ROW-MULT", (
            "The weights are multiplied by the mask after the softmax. What the forbidden keys had "
            "taken is lost, so the rows no longer sum to 1.")),
        mistake(STEPS, "ROW-RENORM", (
            "Forbidden keys are taken out after the exponentials, and what is left is shared out. "
            "Where a forbidden score is far above the rest, it has decided the row before, and "
            "nothing is left to share out. Mask the scores.")),
        mistake(STEPS, "ROW-FILLAFTER", (
            "Forbidden weights are filled in after the softmax. −∞ is a good score, but no "
            "weight. Fill the scores.")),
        mistake(STEPS, "ROW-SHAPE", (
            "The function fails where may_attend has not the shape of the scores. It need not: it "
            "broadcasts. A padding mask is (B, 1, 1, S), and (1, S) serves all queries; "
            "masked_fill and torch.where stretch either, an index in square brackets does not."),
            recognise=_needs_a_whole_mask),
        mistake(STEPS, "ROW-SMALL", (
            "Forbidden scores are made small but not small enough. Where every allowed score is "
            "lower still, or a forbidden one is very high, the forbidden key is read.")),
        mistake(STEPS, "ROW-NAN", (
            "A row with nothing to read gives NaN, as a softmax of nothing but −∞ does. The "
            "contract asks for zeros.")),
        mistake(STEPS, "ROW-UNIFORM", (
            "A row with nothing to read shares out 1 all the same: a softmax does, over finite "
            "scores, however low they all are. The contract asks for zeros.")),
        mistake(STEPS, "ROW-AXIS", (
            "The softmax does not run over the keys, the last axis. Each query shares out its own "
            "attention.")),
        Misconception(code="ROW-FP16", wrong=filled_by_hand(-1e9), also=(
            added_by_hand(-1e9), added_by_hand(-1e30), filled_by_hand(-1e30), _without_room),
            sentence=(
            "The number that hides a key is too large for float16, which ends at 65504. There −1e9 "
            "is −∞, and a row of nothing else is NaN; masked_fill refuses it. "
            "torch.finfo(scores.dtype).min is the lowest number of each dtype.")),
        Misconception(code="ROW-INPLACE", wrong=_in_place, shows="inputs", sentence=(
            "The scores of the caller are filled in: masked_fill_ and an assignment to scores[…] "
            "write into them.")),
        Misconception(code="ROW-NANGRAD", wrong=_mended_late, shows="gradient", sentence=(
            "Where a row has nothing to read the gradient is NaN. A NaN that is replaced behind "
            "the softmax has still passed through it, such as that of a row to which −∞ was added. "
            "Keep it from arising.")),
    ),
    steps=STEPS,
    alternatives=(_where, _by_exponentials, _by_infinity),
)  # fmt: skip
