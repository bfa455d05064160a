"""Right attention in other styles."""

from __future__ import annotations

import math
from typing import Any

from grading.late import Tensor, torch

__all__ = ["added_logarithm", "by_exponentials", "by_torch", "mended_late"]


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
