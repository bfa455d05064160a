"""scaled_dot_product_attention: the core of the course."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from grading.exercise import Exercise, Law, Misconception, Output, Seen
from grading.exercises.shared.attention_mistakes import STEPS
from grading.exercises.shared.attention_probes import (
    BATCH,
    BROADCAST,
    CONTROL,
    HEADLESS,
    LEVEL,
    PLAIN,
    PROBES,
    RANDOM,
    SMALL,
    WIDE,
)
from grading.exercises.shared.attention_unmasked import UNMASKED
from grading.exercises.shared.attention_variants import (
    added_logarithm,
    by_exponentials,
    by_torch,
    mended_late,
)
from grading.exercises.shared.recognising import is_right
from grading.exercises.shared.stepwise import mistake
from grading.late import late
from grading.observation.seen import Error

__all__ = ["SDPA"]

attention = late("course_lib.attention.dot_product")


def _needs_a_whole_mask(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise what raises where the mask has to broadcast, only there, and is right elsewhere."""

    def raised(*names: str) -> bool:
        return any(isinstance(seen.get(name), Error) for name in names)

    right = [name for name in truth if is_right(seen.get(name), truth[name])]
    return (
        raised(*BROADCAST)
        and not raised(CONTROL, LEVEL, WIDE, *SMALL)
        and all(name in right for name in (PLAIN, BATCH, RANDOM))
        and all(name in right or raised(name) for name in (HEADLESS, *BROADCAST))
    )


def _row_sums(one: Seen) -> str | None:
    sums = one.outputs[1].astype(float).sum(-1)
    may = one.inputs["may_attend"]
    expected = np.ones_like(sums)
    if may is not None:
        expected = expected * may.any(-1)
    if np.allclose(sums, expected, rtol=1e-4, atol=1e-4):
        return None
    worst = int(np.abs(sums - expected).argmax())
    got, wanted = float(sums.reshape(-1)[worst]), float(expected.reshape(-1)[worst])
    return f"A row of weights sums to {got:.4g}; it has to sum to {wanted:g}"


def _nothing_forbidden(one: Seen) -> str | None:
    if one.inputs["may_attend"] is None:
        return None
    blocked = np.abs(one.outputs[1] * ~one.inputs["may_attend"])
    if not (blocked > 1e-6).any():
        return None
    return f"A key that may not be read has the weight {float(blocked.max()):.4g}"


SDPA = Exercise(
    name="scaled_dot_product_attention", slug="masks", task="attention",
    title="Scaled dot-product attention", kind="implement", points=1.5, difficulty=3,
    importance=3, minutes=30, parameters=("query", "key", "value", "may_attend"),
    defaults={"may_attend": None},
    outputs=(Output(name="output", axes="... T Dv", made_from="weights"),
             Output(name="weights", axes="... T S")),
    axes={"query": "... T D", "key": "... S D", "value": "... S Dv", "may_attend": "... T S"},
    reference=lambda *inputs: attention.scaled_dot_product_attention(*inputs),
    equation="queries-keys-values#eq-sdpa",
    part="course_lib.attention.dot_product.scaled_dot_product_attention",
    next_rung="Every later mechanism of the course becomes this function at some limit.",
    laws=(
        Law(rule="a key that may not be read has weight 0", broken=_nothing_forbidden,
            output="weights"),
        Law(rule="each row of weights sums to 1, or to 0 with nothing to read", broken=_row_sums,
            output="weights"),
    ),
    probes=PROBES,
    misconceptions=(
        *UNMASKED,
        mistake(STEPS, "SDPA-MASKINV", (
            "The mask is read the wrong way round. In may_attend, True means that the key may "
            "be read; nn.MultiheadAttention means the opposite.")),
        mistake(STEPS, "SDPA-MASKSHAPE", (
            "The function fails where may_attend has not the shape of the scores. It need not: it "
            "broadcasts. A padding mask is (B, 1, 1, S), and (1, S) serves all queries; "
            "masked_fill and torch.where stretch either, an index in square brackets does not."),
            recognise=_needs_a_whole_mask),
        mistake(STEPS, "SDPA-MASKNONE", (
            "The mask is not used: forbidden keys are read.")),
        mistake(STEPS, "SDPA-MASK0", (
            "Forbidden scores are set to 0, or near it. A score of 0 is an ordinary score, "
            "e⁰ = 1, and the key is still read.")),
        mistake(STEPS, "SDPA-MASKMULT", (
            "The weights are multiplied by the mask after the softmax. What the forbidden keys "
            "had taken is lost, so the rows no longer sum to 1.")),
        mistake(STEPS, "SDPA-RENORM", (
            "Forbidden keys are taken out after the exponentials, and what is left is shared out. "
            "Where a forbidden score is far above the rest, it has decided the row before, and "
            "nothing is left to share out. Mask the scores.")),
        mistake(STEPS, "SDPA-FILLAFTER", (
            "Forbidden weights are filled in after the softmax. −∞ is a good score, but a weight "
            "that low is subtracted from the output, and what the forbidden keys had taken is "
            "lost. Fill the scores.")),
        mistake(STEPS, "SDPA-MASKNAN", (
            "With a mask every weight is NaN, even where all keys may be read. 0 · ∞ does that: "
            "(1 − mask) · (−∞) is NaN for each key that may be read. Fill; do not multiply.")),
        mistake(STEPS, "SDPA-MASKSMALL", (
            "Forbidden scores are made small but not small enough. Where every allowed score is "
            "lower still, or a forbidden one is very high, the forbidden key is read.")),
        mistake(STEPS, "SDPA-NANROW", (
            "A query with nothing to read gives NaN, as a softmax of nothing but −∞ does. The "
            "contract asks for zeros in its weights and its output.")),
        Misconception(code="SDPA-NANGRAD", wrong=mended_late, shows="gradient", sentence=(
            "Where a query has nothing to read the gradient is NaN, and it spoils the keys, which "
            "all queries share. A NaN that is replaced behind the softmax has still passed through "
            "it, such as that of a row to which −∞ was added. Keep it from arising.")),
        mistake(STEPS, "SDPA-UNIFORMROW", (
            "A query with nothing to read reads all the same: a softmax shares out 1 over a row of "
            "finite scores, however low they all are. The contract asks for zeros.")),
    ),
    steps=STEPS,
    alternatives=(added_logarithm, by_torch, by_exponentials),
)  # fmt: skip
