"""Attention with one step replaced: the wrong ways, and the right ones in other styles."""

from __future__ import annotations

import math
from typing import Any

from grading.late import Tensor, torch

__all__ = [
    "added_logarithm",
    "by_exponentials",
    "by_torch",
    "mended_late",
    "scaled_after",
    "shifted",
    "swapped",
    "variant",
]


def softmax(scores: Tensor, axis: int) -> Tensor:
    """Weigh the scores as attention does."""
    return scores.softmax(axis)


def variant(
    scale: Any = lambda query, key, value: 1 / math.sqrt(query.shape[-1]),
    fill: str = "zeros",
    axis: int = -1,
    mix: Any = lambda weights, value: weights @ value,
    weigh: Any = softmax,
) -> Any:
    """Make an attention in which one step is replaced."""

    def attend(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
        scores = query @ key.mT * scale(query, key, value)
        weights = _MASKINGS[fill](scores, may_attend, lambda filled: weigh(filled, axis))
        return mix(weights, value), weights

    return attend


def _zeros(scores: Tensor, may: Any, weigh: Any) -> Any:
    if may is None:
        return weigh(scores)
    return weigh(scores.masked_fill(~may, torch.finfo(scores.dtype).min)) * may


def _filled_with(number: float) -> Any:
    def masked(scores: Tensor, may: Any, weigh: Any) -> Any:
        weights = weigh(scores if may is None else scores.masked_fill(~may, number))
        return weights if may is None else weights * may.any(-1, keepdim=True)

    return masked


def _only_filled_with(number: float) -> Any:
    def masked(scores: Tensor, may: Any, weigh: Any) -> Any:
        return weigh(scores if may is None else scores.masked_fill(~may, number))

    return masked


def _added(number: float) -> Any:
    def masked(scores: Tensor, may: Any, weigh: Any) -> Any:
        weights = weigh(scores if may is None else scores + number * ~may)
        return weights if may is None else weights * may.any(-1, keepdim=True)

    return masked


def _multiplied(scores: Tensor, may: Any, weigh: Any) -> Any:
    return weigh(scores) if may is None else weigh(scores) * may


def _inverted(masked: Any) -> Any:
    return lambda scores, may, weigh: masked(scores, None if may is None else ~may, weigh)


def _ignored(scores: Tensor, may: Any, weigh: Any) -> Any:
    return weigh(scores)


def _scores_multiplied(scores: Tensor, may: Any, weigh: Any) -> Any:
    return weigh(scores if may is None else scores * may)


def _expanded(scores: Tensor, may: Any, weigh: Any) -> Any:
    """Set scores by an index; the mask has to have their last two axes, unexpanded."""
    if may is None:
        return weigh(scores)
    filled = scores.clone()
    filled[..., ~may.reshape(scores.shape[-2:])] = torch.finfo(scores.dtype).min
    return weigh(filled) * may


_MASKINGS: dict[str, Any] = {
    "zeros": _zeros, "nan": _only_filled_with(-math.inf),
    "uniform": _only_filled_with(-1e9), "multiplied": _multiplied,
    "inverted": _inverted(_zeros), "inverted nan": _inverted(_only_filled_with(-math.inf)),
    "inverted uniform": _inverted(_only_filled_with(-1e9)), "exact shape": _expanded,
    "ignored": _ignored, "score zero": _filled_with(0.0),
    "score zero, empty rows uniform": _scores_multiplied,
    "small": _filled_with(-30.0), "small 100": _filled_with(-100.0), "small 1000":
    _filled_with(-1e3), "small 1e4": _filled_with(-1e4), "added": _added(-1e4),
    "added 1000": _added(-1e3), "added 100": _added(-100.0), "added 30": _added(-30.0),
}  # fmt: skip


def scaled_after(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Divide the weights instead of the scores."""
    weights = _zeros(query @ key.mT, may_attend, lambda z: z.softmax(-1))
    weights = weights / math.sqrt(query.shape[-1])
    return weights @ value, weights


def added_logarithm(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Additive logarithm of the mask; empty rows read all, and lose it again: another right way."""
    scores = torch.einsum("...td,...sd->...ts", query / math.sqrt(query.shape[-1]), key)
    if may_attend is None:
        weights = scores.softmax(-1)
        return weights @ value, weights
    reads = may_attend.any(-1, keepdim=True)
    weights = (scores + (may_attend | ~reads).to(scores.dtype).log()).softmax(-1) * reads
    return weights @ value, weights


def mended_late(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Replace the NaN of an added −∞ behind the softmax: right values, and a gradient of NaN."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if may_attend is not None:
        scores = scores + may_attend.to(scores.dtype).log()
    weights = torch.nan_to_num(scores.softmax(-1), nan=0.0)
    return weights @ value, weights


def by_torch(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Let PyTorch's own attention give both: with the identity as values it gives the weights."""
    sdpa = torch.nn.functional.scaled_dot_product_attention
    eye = torch.eye(key.shape[-2], dtype=value.dtype).expand(*value.shape[:-1], -1)
    weights = sdpa(query, key, eye, attn_mask=may_attend)
    return sdpa(query, key, value, attn_mask=may_attend), weights


def by_exponentials(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Take the exponentials by hand, with the maximum of what may be read."""
    scores = (query.unsqueeze(-2) * key.unsqueeze(-3)).sum(-1) * query.shape[-1] ** -0.5
    may = torch.ones_like(scores, dtype=torch.bool) if may_attend is None else may_attend
    top = torch.where(may, scores, -math.inf).amax(-1, keepdim=True)
    top = torch.where(top.isinf(), 0.0, top)
    exps = torch.where(may, (torch.where(may, scores, top) - top).exp(), 0.0)
    total = exps.sum(-1, keepdim=True)
    weights = exps / torch.where(total == 0, 1.0, total)
    return torch.einsum("...ts,...sv->...tv", weights, value), weights


def shifted(shift: Any) -> Any:
    """Return a softmax by hand that subtracts something else than the maximum; None, nothing."""

    def weigh(scores: Tensor, axis: int) -> Tensor:
        exps = (scores if shift is None else scores - shift(scores, axis)).exp()
        return exps / exps.sum(axis, keepdim=True)

    return weigh


def swapped(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Return the two results in the other order."""
    return variant()(query, key, value, may_attend)[::-1]
