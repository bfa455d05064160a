"""The mistakes of attention that can be made without a mask: two chapters name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from grading.exercise import Misconception
from grading.exercises.shared.attention_mistakes import STEPS
from grading.exercises.shared.attention_probes import MASKED, WIDE
from grading.exercises.shared.recognising import fails_only_on
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch

__all__ = ["UNMASKED"]

attention = late("course_lib.attention.dot_product")


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


UNMASKED = (
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
    mistake(STEPS, "SDPA-OVERFLOW", (
        "The exponentials are taken without the row's maximum: near 1000 they are infinite, "
        "near −1000 all 0. Subtract each row's own first.")),
    mistake(STEPS, "SDPA-SHIFT", (
        "What you subtract before the exponential is not the row's maximum. Only the maximum "
        "bounds it: with less, e⁷¹⁰ and all above are infinite, with more, all may become 0."),
        recognise=fails_only_on(WIDE, besides=MASKED)),
)  # fmt: skip
