"""scaled_dot_product_attention: the core of the course."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from grading.exercise import Exercise, Law, Misconception, Output, Seen
from grading.exercises.queries_keys_values.attention_probes import (
    BATCH,
    BROADCAST,
    CONTROL,
    HEADLESS,
    LEVEL,
    MASKED,
    PLAIN,
    PROBES,
    RANDOM,
    SMALL,
    WIDE,
)
from grading.exercises.shared.attention_variants import (
    added_logarithm,
    by_exponentials,
    by_torch,
    mended_late,
    scaled_after,
    shifted,
    swapped,
    variant,
)
from grading.exercises.shared.recognising import fails_only_on, is_right
from grading.exercises.shared.shifts import SHIFTS
from grading.late import Tensor, late, torch
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


def _identity(scores: Tensor, axis: int) -> Tensor:
    return scores


def _one_hot(scores: Tensor, axis: int) -> Tensor:
    best = scores.argmax(axis)
    return torch.nn.functional.one_hot(best, scores.shape[axis]).to(scores.dtype)


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
    name="scaled_dot_product_attention", slug="queries-keys-values", task="attention",
    title="Scaled dot-product attention", kind="implement", points=1.5, difficulty=3,
    importance=3, minutes=30, parameters=("query", "key", "value", "may_attend"),
    defaults={"may_attend": None},
    outputs=(Output(name="output", axes="... T Dv", made_from="weights"),
             Output(name="weights", axes="... T S")),
    axes={"query": "... T D", "key": "... S D", "value": "... S Dv", "may_attend": "... T S"},
    reference=lambda *inputs: attention.scaled_dot_product_attention(*inputs), equation="eq-sdpa",
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
        Misconception(code="SDPA-NOSCALE", wrong=variant(scale=lambda *_: 1.0), sentence=(
            "The scores are not divided by √D. With D = 64 the largest of 64 random weights is "
            "then 0.79 on average instead of 0.11.")),
        Misconception(code="SDPA-DK", wrong=variant(scale=lambda q, k, v: 1 / q.shape[-1]),
                      sentence=(
            "The scores are divided by D. Their variance is D, so their spread is √D; dividing "
            "by D makes all weights nearly equal.")),
        Misconception(code="SDPA-DMODEL", wrong=variant(
            scale=lambda q, k, v: 1 / math.sqrt(q.shape[-1] * (q.shape[-3] if q.ndim > 2 else 2))),
            also=(variant(scale=lambda q, k, v: 1 / math.sqrt(v.shape[-1])),
                  variant(scale=lambda q, k, v: 1 / math.sqrt(q.shape[-2])),
                  variant(scale=lambda q, k, v: 1 / math.sqrt(k.shape[-2])),
                  variant(scale=lambda q, k, v: 1 / math.sqrt(
                      q.shape[-1] * (q.shape[-3] if q.ndim > 2 else 1)))), sentence=(
            "The root is taken of another size. It is the size D of one query, the number of "
            "products that a score adds up.")),
        Misconception(code="SDPA-CONST8", wrong=variant(scale=lambda *_: 1 / 8), sentence=(
            "The scores are divided by 8. That is √D for D = 64 only.")),
        Misconception(code="SDPA-AXIS", wrong=variant(axis=-2), also=tuple(
            variant(axis=axis, fill=fill) for axis in (-2, 0, 1, 2, 3)
            for fill in ("zeros", "nan", "uniform")), sentence=(
            "The softmax does not always run over the keys. Each query shares out its own "
            "attention, so the weights sum to 1 along the last axis, however many axes stand "
            "before it.")),
        Misconception(code="SDPA-NOSOFTMAX", wrong=variant(fill="ignored", weigh=_identity), also=(
            *(variant(fill=fill, weigh=_identity) for fill in (
                "zeros", "nan", "uniform", "multiplied", "score zero")),), sentence=(
            "The scores themselves are used as weights. They may be negative and do not sum to "
            "1: the softmax is missing.")),
        Misconception(code="SDPA-ARGMAX", wrong=variant(weigh=_one_hot), also=(
            variant(fill="nan", weigh=_one_hot), variant(fill="ignored", weigh=_one_hot)),
                      sentence=(
            "The best key gets all the weight. That is a lookup, the limit of a very low "
            "temperature, and it has no gradient.")),
        Misconception(code="SDPA-ORDER", wrong=swapped, sentence=(
            "The two results are returned in the other order. The contract asks for the output "
            "first, then the weights.")),
        Misconception(code="SDPA-SCALEAFTER", wrong=scaled_after, sentence=(
            "The division by √D comes after the softmax, so each row of weights sums to 1/√D "
            "and the scores were never tamed.")),
        Misconception(code="SDPA-WTV", wrong=variant(mix=lambda w, v: w.mT @ v), sentence=(
            "The weights are transposed before they meet the values. Row t of the weights "
            "already lists how much query t takes from each value.")),
        Misconception(code="SDPA-VNOTUSED", wrong=variant(mix=lambda w, v: v), also=(
            variant(mix=lambda w, v: v.mean(-2, keepdim=True).expand(*w.shape[:-1], -1)),
            variant(mix=lambda w, v: w)), sentence=(
            "The output does not depend on the weights and the values together: it is the values, "
            "their plain mean, or the weights themselves.")),
        Misconception(code="SDPA-MASKINV", wrong=variant(fill="inverted"), also=(
            variant(fill="inverted nan"), variant(fill="inverted uniform")), sentence=(
            "The mask is read the wrong way round. In may_attend, True means that the key may "
            "be read; nn.MultiheadAttention means the opposite.")),
        Misconception(code="SDPA-MASKSHAPE", wrong=variant(fill="exact shape"),
                      recognise=_needs_a_whole_mask, sentence=(
            "The function fails where may_attend has not the shape of the scores. It need not: it "
            "broadcasts. A padding mask is (B, 1, 1, S), and (1, S) serves all queries; "
            "masked_fill and torch.where stretch either, an index in square brackets does not.")),
        Misconception(code="SDPA-MASKNONE", wrong=variant(fill="ignored"), sentence=(
            "The mask is not used: forbidden keys are read.")),
        Misconception(code="SDPA-MASK0", wrong=variant(fill="score zero"),
                      also=(variant(fill="score zero, empty rows uniform"),), sentence=(
            "Forbidden scores are set to 0, or near it. A score of 0 is an ordinary score, "
            "e⁰ = 1, and the key is still read.")),
        Misconception(code="SDPA-MASKMULT", wrong=variant(fill="multiplied"), sentence=(
            "The weights are multiplied by the mask after the softmax. What the forbidden keys "
            "had taken is lost, so the rows no longer sum to 1.")),
        Misconception(code="SDPA-MASKSMALL", wrong=variant(fill="small"), also=tuple(
            variant(fill=fill) for fill in ("small 100", "small 1000", "small 1e4", "added",
                                             "added 1000", "added 100", "added 30")), sentence=(
            "Forbidden scores are made small but not small enough. Where every allowed score is "
            "lower still, or a forbidden one is very high, the forbidden key is read.")),
        Misconception(code="SDPA-NANROW", wrong=variant(fill="nan"), sentence=(
            "A query with nothing to read gives NaN: its weights are 0/0, which is also what a "
            "softmax makes of a row of −∞. The contract asks for zeros in weights and output.")),
        Misconception(code="SDPA-NANGRAD", wrong=mended_late, shows="gradient", sentence=(
            "Where a query has nothing to read the gradient is NaN, and it spoils the keys, which "
            "all queries share. A NaN that is replaced behind the softmax has still passed through "
            "it, such as that of a row to which −∞ was added. Keep it from arising.")),
        Misconception(code="SDPA-OVERFLOW", wrong=variant(weigh=shifted(None)),
                      also=(variant(fill="nan", weigh=shifted(None)),), sentence=(
            "The exponentials are taken without the row's maximum: near 1000 they are infinite, "
            "near −1000 all 0. Subtract each row's own first.")),
        Misconception(code="SDPA-SHIFT", wrong=variant(weigh=shifted(SHIFTS[0])), also=tuple(
            variant(fill=fill, weigh=shifted(shift))
            for shift in SHIFTS for fill in ("zeros", "nan")),
            recognise=fails_only_on(WIDE, besides=MASKED),
            sentence=(
            "What you subtract before the exponential is not the row's maximum. Only the maximum "
            "bounds it: with less, e⁷¹⁰ and all above are infinite, with more, all may become 0.")),
        Misconception(code="SDPA-UNIFORMROW", wrong=variant(fill="uniform"), sentence=(
            "A query with nothing to read reads everything: equal scores give equal weights, "
            "however low they are. The contract asks for zeros.")),
    ),
    alternatives=(added_logarithm, by_torch, by_exponentials),
)  # fmt: skip
