"""Right ways to write latent attention, in styles that differ."""

from __future__ import annotations

from typing import Any

from grading.late import Tensor, torch

__all__ = ["ALTERNATIVES"]


def _turn(rows: Tensor, base: float) -> Any:
    """Multiply complex numbers along the last two axes, from position 0."""
    half, T = rows.shape[-1] // 2, rows.shape[-2]
    steps = [float(base) ** (-i / half) for i in range(half)]
    frequencies = torch.tensor(steps, dtype=torch.float64)
    turns = torch.exp(1j * torch.outer(torch.arange(T).double(), frequencies))
    turned = torch.complex(*rows.double().chunk(2, -1)) * turns
    return torch.cat([turned.real, turned.imag], -1).to(rows.dtype)


def _absorbed(
    x: Tensor, w_q: Tensor, w_qr: Tensor, w_dkv: Tensor, g_kv: Tensor, w_kr: Tensor, w_uk: Tensor,
    w_uv: Tensor, w_o: Tensor, H: int, base: float = 10000.0, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Never make a key or a value: queries go down to the latent size, outputs up from it."""
    latent = torch.nn.functional.rms_norm(x @ w_dkv, g_kv.shape, g_kv, eps)
    q, q_r, uk, uv = (torch.stack(w.chunk(H, -1), -3) for w in (x @ w_q, x @ w_qr, w_uk, w_uv))
    asked = q @ uk.mT  # B H T Dc
    scores = asked @ latent[:, None].mT + _turn(q_r, base) @ _turn(x @ w_kr, base)[:, None].mT
    T = x.shape[1]
    may = torch.ones(T, T, dtype=torch.bool).tril()
    scores = (scores / (q.shape[-1] + q_r.shape[-1]) ** 0.5).masked_fill(~may, -1e30)
    mixed = scores.softmax(-1) @ latent[:, None]
    return sum(
        (mixed[:, h] @ uv[h] @ o for h, o in enumerate(w_o.chunk(H, 0))), torch.zeros_like(x)
    )


def _by_torch(
    x: Tensor, w_q: Tensor, w_qr: Tensor, w_dkv: Tensor, g_kv: Tensor, w_kr: Tensor, w_uk: Tensor,
    w_uv: Tensor, w_o: Tensor, H: int, base: float = 10000.0, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Join both parts of queries and keys, and let PyTorch read."""
    B, T, _ = x.shape

    def heads(rows: Tensor) -> Any:
        return rows.view(B, T, H, -1).transpose(1, 2)

    down = x @ w_dkv
    wide = down.to(torch.promote_types(x.dtype, torch.float32))
    latent = (wide / (wide.pow(2).mean(-1, keepdim=True) + eps).sqrt()).to(x.dtype) * g_kv
    rotary = _turn(x @ w_kr, base)[:, None].expand(-1, H, -1, -1)
    query = torch.cat([heads(x @ w_q), _turn(heads(x @ w_qr), base)], -1)
    key = torch.cat([heads(latent @ w_uk), rotary], -1)
    found = torch.nn.functional.scaled_dot_product_attention(
        query, key, heads(latent @ w_uv), is_causal=True
    )
    return found.transpose(1, 2).reshape(B, T, -1) @ w_o


ALTERNATIVES = (_absorbed, _by_torch)
