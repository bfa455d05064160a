"""RoPE as this chapter's exercises turn rows: halves, and the ways that people take instead."""

from __future__ import annotations

from typing import Any

from grading.late import Tensor, torch

__all__ = ["backwards", "halves", "neighbours"]


def _angles(rows: Tensor, positions: Tensor, base: float) -> Any:
    half = rows.shape[-1] // 2
    frequencies = float(base) ** -(torch.arange(half).double() / half)
    return positions.double()[:, None] * frequencies


def _wide(rows: Tensor, angles: Tensor) -> tuple[Any, Any, Any]:
    wide = torch.promote_types(rows.dtype, torch.float32)
    return rows.to(wide), angles.cos().to(wide), angles.sin().to(wide)


def halves(rows: Tensor, positions: Tensor, base: float) -> Any:
    """Turn entry i together with entry D / 2 + i, along the last two axes."""
    wide, cos, sin = _wide(rows, _angles(rows, positions, base))
    first, second = wide.chunk(2, -1)
    turned = [first * cos - second * sin, second * cos + first * sin]
    return torch.cat(turned, -1).to(rows.dtype)


def neighbours(rows: Tensor, positions: Tensor, base: float) -> Any:
    """Turn entry 2i together with entry 2i + 1."""
    wide, cos, sin = _wide(rows, _angles(rows, positions, base))
    first, second = wide[..., 0::2], wide[..., 1::2]
    turned = [first * cos - second * sin, second * cos + first * sin]
    return torch.stack(turned, -1).flatten(-2).to(rows.dtype)


def backwards(rows: Tensor, positions: Tensor, base: float) -> Any:
    """Turn by −θ."""
    return halves(rows, -positions, base)
