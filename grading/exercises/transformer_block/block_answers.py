"""Right ways to write a block, in styles that differ."""

from __future__ import annotations

from typing import Any

from grading.late import Tensor, torch

__all__ = ["ALTERNATIVES"]


def _by_torch(
    x: Tensor, g_1: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, g_2: Tensor,
    w_gate: Tensor, w_up: Tensor, w_down: Tensor, H: int, may_attend: Any = None,
    eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Let PyTorch's own functions norm, read and switch."""
    f = torch.nn.functional
    n = f.rms_norm(x, x.shape[-1:], g_1, eps)
    q, k, v = (torch.stack((n @ w).chunk(H, -1), -3) for w in (w_q, w_k, w_v))
    may = may_attend[..., None, :, :] if may_attend is not None and may_attend.ndim > 2 else (
        may_attend)  # fmt: skip
    found = f.scaled_dot_product_attention(q, k, v, attn_mask=may)
    x = x + torch.cat(found.unbind(-3), -1) @ w_o
    n = f.rms_norm(x, x.shape[-1:], g_2, eps)
    return x + f.silu(n @ w_gate).mul(n @ w_up) @ w_down


def _by_folded_gains(
    x: Tensor, g_1: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, g_2: Tensor,
    w_gate: Tensor, w_up: Tensor, w_down: Tensor, H: int, may_attend: Any = None,
    eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Multiply the gains into the matrices behind them, and add up what each head writes."""
    dtype, tensors = x.dtype, (x, g_1, w_q, w_k, w_v, w_o, g_2, w_gate, w_up, w_down)
    x, g_1, w_q, w_k, w_v, w_o, g_2, w_gate, w_up, w_down = (one.double() for one in tensors)

    def bare(rows: Tensor) -> Tensor:
        return rows / (rows.square().mean(-1, keepdim=True) + eps).sqrt()

    read, total = bare(x), x
    parts = [(g_1[:, None] * w).chunk(H, -1) for w in (w_q, w_k, w_v)]
    for q, k, v, o in zip(*parts, w_o.chunk(H, 0), strict=True):
        scores = torch.einsum("...tc,cd,ed,...se->...ts", read, q, k, read) / q.shape[-1] ** 0.5
        if may_attend is None:
            weights = scores.softmax(-1)
        else:
            reads = may_attend.any(-1, keepdim=True)
            weights = scores.masked_fill(~(may_attend | ~reads), -torch.inf).softmax(-1) * reads
        total = total + weights @ (read @ v) @ o
    thought = bare(total)
    gate, up = (thought @ (g_2[:, None] * w) for w in (w_gate, w_up))
    return (total + gate * gate.sigmoid() * up @ w_down).to(dtype)


def _row_by_row(
    x: Tensor, g_1: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, g_2: Tensor,
    w_gate: Tensor, w_up: Tensor, w_down: Tensor, H: int, may_attend: Any = None,
    eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Take the examples one by one, and each head's rows by themselves."""
    T, C = x.shape[-2:]
    D, Dv = w_q.shape[-1] // H, w_v.shape[-1] // H
    whole = x.reshape(-1, T, C)
    may = torch.ones(T, T, dtype=torch.bool) if may_attend is None else may_attend
    may = may.expand(*x.shape[:-2], T, T).reshape(-1, T, T)

    def norm(row: Tensor, g: Tensor) -> Tensor:
        return row * g / (row @ row / C + eps) ** 0.5

    done = []
    for rows, allowed in zip(whole, may, strict=True):
        n = torch.stack([norm(row, g_1) for row in rows])
        for_each = []
        for t, row in enumerate(rows):
            found = []
            for h in range(H):
                own, values = slice(h * D, (h + 1) * D), slice(h * Dv, (h + 1) * Dv)
                keys, worth = n[allowed[t]] @ w_k[:, own], n[allowed[t]] @ w_v[:, values]
                weights = (keys @ (n[t] @ w_q[:, own]) / D**0.5).softmax(0)
                found.append(weights @ worth)
            y = row + torch.cat(found) @ w_o
            m = norm(y, g_2)
            for_each.append(y + (torch.nn.functional.silu(m @ w_gate) * (m @ w_up)) @ w_down)
        done.append(torch.stack(for_each))
    return torch.stack(done).reshape(x.shape)


ALTERNATIVES = (_by_torch, _by_folded_gains, _row_by_row)
