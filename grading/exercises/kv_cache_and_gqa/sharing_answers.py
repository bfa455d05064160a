"""Right ways to let heads share keys, in styles that differ."""

from __future__ import annotations

from typing import Any

from grading.late import Tensor, torch

__all__ = ["ALTERNATIVES"]


def _by_torch(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Let PyTorch group the heads itself."""
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=may_attend, enable_gqa=True
    )


def _by_einsum(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Give the queries an axis of groups, and copy nothing."""
    B, H, T, D = query.shape
    G, S = key.shape[1:3]
    shared = query.reshape(B, G, H // G, T, D)
    scores = torch.einsum("bgrtd,bgsd->bgrts", shared, key) / D**0.5
    if may_attend is not None:
        may = may_attend.expand(B, H, T, S).reshape(B, G, H // G, T, S)
        scores = scores.masked_fill(~may, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1) * may.any(-1, keepdim=True)
    else:
        weights = scores.softmax(-1)
    return torch.einsum("bgrts,bgsd->bgrtd", weights, value).reshape(B, H, T, -1)


def _head_by_head(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Read with one head after the other, and only the keys that each query may read."""
    B, H, T, D = query.shape
    G, S = key.shape[1:3]
    may = torch.ones(T, S, dtype=torch.bool) if may_attend is None else may_attend
    may = may.expand(B, H, T, S)
    rows = []
    for b in range(B):
        for h in range(H):
            g = h // (H // G)
            for t in range(T):
                keys, values = key[b, g, may[b, h, t]], value[b, g, may[b, h, t]]
                rows.append(torch.softmax(keys @ query[b, h, t] / D**0.5, 0) @ values)
    return torch.stack(rows).reshape(B, H, T, -1)


ALTERNATIVES = (_by_torch, _by_einsum, _head_by_head)
