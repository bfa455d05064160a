"""scaled_dot_product_attention: the core of the course."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from grading.exercise import Exercise, Law, Misconception, Output, Seen
from grading.exercises.queries_keys_values.attention_mistakes import STEPS
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
)
from grading.exercises.shared.recognising import fails_only_on, is_right
from grading.exercises.shared.stepwise import mistake
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


def _drops(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise weights of which a part is 0 and the rest too large, by one factor everywhere."""
    if any(not isinstance(seen[name], list) or len(seen[name]) != 2 for name in truth):
        return False
    pairs = [(seen[name][1], truth[name][1]) for name in truth]
    if any(mine.shape != right.shape or not np.isfinite(mine).all() for mine, right in pairs):
        return False
    flat = [np.concatenate([one.reshape(-1) for one in ones]) for ones in zip(*pairs, strict=True)]
    read = flat[1] > 1e-6
    factors = flat[0][read] / flat[1][read]
    kept = factors[factors != 0]
    if not kept.size or not np.allclose(kept, kept[0], rtol=1e-4) or kept[0] < 1.01:
        return False
    share = 1 - 1 / kept[0]
    noise = np.sqrt(share * (1 - share) / factors.size)
    return bool(abs(1 - kept.size / factors.size - share) < 5 * noise)


def _dropout(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Drop the same weights in each call: what the catalogue's functions do is recorded."""
    _, weights = attention.scaled_dot_product_attention(query, key, value, may_attend)
    generator = torch.Generator().manual_seed(0)
    kept = torch.rand(weights.shape, generator=generator, dtype=weights.dtype) > 0.1
    weights = weights * kept / 0.9
    return weights @ value, weights


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
        mistake(STEPS, "SDPA-NOSCALE", (
            "The scores are not divided by √D. With D = 64 the largest of 64 random weights is "
            "then 0.79 on average instead of 0.11.")),
        mistake(STEPS, "SDPA-TIMESROOT", (
            "The scores are multiplied by √D, where they have to be divided. D^(−½) is 1/√D "
            "already: it is a factor, and dividing by it multiplies by the root.")),
        mistake(STEPS, "SDPA-DK", (
            "The scores are divided by D. Their variance is D, so their spread is √D; dividing "
            "by D makes all weights nearly equal.")),
        mistake(STEPS, "SDPA-DMODEL", (
            "The root is taken of another size. It is the size D of one query, the number of "
            "products that a score adds up.")),
        mistake(STEPS, "SDPA-CONST8", (
            "The scores are divided by 8. That is √D for D = 64 only.")),
        mistake(STEPS, "SDPA-VIEW", (
            "The key has the shape of its transpose, but its numbers stand in their old order: "
            "view and reshape cut a row into new rows. Exchange its last two axes.")),
        mistake(STEPS, "SDPA-AXES", (
            "Other axes of the key than its last two change places, at least for some number of "
            "axes. transpose(2, 3) counts from the front; −2 and −1 are always the last two.")),
        mistake(STEPS, "SDPA-AXIS", (
            "The softmax does not always run over the keys. Each query shares out its own "
            "attention, so the weights sum to 1 along the last axis, however many axes stand "
            "before it.")),
        mistake(STEPS, "SDPA-NOSOFTMAX", (
            "The scores themselves are used as weights. They may be negative and do not sum to "
            "1: the softmax is missing.")),
        mistake(STEPS, "SDPA-ARGMAX", (
            "The best key gets all the weight. That is a lookup, the limit of a very low "
            "temperature, and it has no gradient.")),
        mistake(STEPS, "SDPA-ORDER", (
            "The two results are returned in the other order. The contract asks for the output "
            "first, then the weights.")),
        mistake(STEPS, "SDPA-SCALEAFTER", (
            "The division by √D comes after the softmax, so the weights share out 1/√D instead "
            "of 1, and the scores were never tamed.")),
        mistake(STEPS, "SDPA-WTV", (
            "The weights are transposed before they meet the values. Row t of the weights "
            "already lists how much query t takes from each value.")),
        mistake(STEPS, "SDPA-VNOTUSED", (
            "The output does not depend on the weights and the values together: it is the values, "
            "their plain mean, or the weights themselves.")),
        mistake(STEPS, "SDPA-CAUSAL", (
            "A query never reads later keys, whether it may or not: a causal mask is always on. "
            "may_attend alone says what may be read, and None allows every pair.")),
        Misconception(code="SDPA-DROPOUT", wrong=_dropout, recognise=_drops, sentence=(
            "A part of the weights is 0 and all others are too large by one factor, as dropout "
            "makes them. It belongs to training; this function gives the weights themselves.")),
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
        mistake(STEPS, "SDPA-OVERFLOW", (
            "The exponentials are taken without the row's maximum: near 1000 they are infinite, "
            "near −1000 all 0. Subtract each row's own first.")),
        mistake(STEPS, "SDPA-SHIFT", (
            "What you subtract before the exponential is not the row's maximum. Only the maximum "
            "bounds it: with less, e⁷¹⁰ and all above are infinite, with more, all may become 0."),
            recognise=fails_only_on(WIDE, besides=MASKED)),
        mistake(STEPS, "SDPA-UNIFORMROW", (
            "A query with nothing to read reads all the same: a softmax shares out 1 over a row of "
            "finite scores, however low they all are. The contract asks for zeros.")),
    ),
    steps=STEPS,
    alternatives=(added_logarithm, by_torch, by_exponentials),
)  # fmt: skip
