"""Right ways to write the smallest encoder-decoder, in styles that differ."""

from __future__ import annotations

import math
from typing import Any

from grading.late import Tensor, torch

__all__ = ["ALTERNATIVES", "shifted"]


def shifted(target: Tensor, start_id: int) -> Tensor:
    """Return what the decoder reads: the start, then the target without its last token."""
    start = torch.full_like(target[:, :1], start_id)
    return torch.cat([start, target[:, :-1]], 1)


def _by_torch(
    source: Tensor, target: Tensor, source_lengths: Tensor, table: Tensor, w: Tensor, start_id: int
) -> Any:
    """Let PyTorch's own attention read; it gives zeros where nothing may be read."""

    def read(x: Tensor, memory: Tensor, layer: Tensor, may: Tensor) -> Tensor:
        attend = torch.nn.functional.scaled_dot_product_attention
        return x + attend(x @ layer[0], memory @ layer[1], memory @ layer[2], attn_mask=may)

    T = target.shape[1]
    real = (torch.arange(source.shape[1]) < source_lengths[:, None]).unsqueeze(1)
    memory = torch.nn.functional.embedding(source, table)
    memory = read(memory, memory, w[0], real)
    x = torch.nn.functional.embedding(
        torch.nn.functional.pad(target[:, :-1], (1, 0), value=start_id), table
    )
    x = read(x, x, w[1], torch.ones(T, T, dtype=torch.bool).tril())
    return torch.einsum("btc,vc->btv", read(x, memory, w[2], real), table)


def _word_by_word(
    source: Tensor, target: Tensor, source_lengths: Tensor, table: Tensor, w: Tensor, start_id: int
) -> Any:
    """Read real tokens only, and only what was written so far: nothing is masked."""

    def read(row: Tensor, memory: Tensor, layer: Tensor) -> Any:
        scores = (memory @ layer[1]) @ (row @ layer[0]) / row.shape[-1] ** 0.5
        return row + scores.softmax(0) @ (memory @ layer[2])

    found = []
    for example, length in enumerate(source_lengths.tolist()):
        words = table[source[example, :length]]
        memory = torch.stack([read(row, words, w[0]) for row in words]) if length else words
        written = table[shifted(target, start_id)[example]]
        rows = [read(row, written[: t + 1], w[1]) for t, row in enumerate(written)]
        found.append(torch.stack([read(row, memory, w[2]) @ table.T for row in rows]))
    return torch.stack(found)


def _one_hot(
    source: Tensor, target: Tensor, source_lengths: Tensor, table: Tensor, w: Tensor, start_id: int
) -> Any:
    """Look up by products with one-hot rows, in float64, and mask by logarithms."""
    dtype, table, w = table.dtype, table.double(), w.double()
    V, C = table.shape

    def rows(ids: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(ids, V).double() @ table

    def read(x: Tensor, memory: Tensor, layer: Tensor, may: Tensor) -> Tensor:
        powers = ((x @ layer[0]) @ (memory @ layer[1]).mT / math.sqrt(C)).exp() * may
        total = powers.sum(-1, keepdim=True)
        return x + powers / torch.where(total == 0, 1.0, total) @ (memory @ layer[2])

    places = torch.arange(source.shape[1])
    real = (places[None, None] < source_lengths[:, None, None]).double()
    memory = read(rows(source), rows(source), w[0], real)
    ids = shifted(target, start_id)
    x = read(rows(ids), rows(ids), w[1], torch.ones(ids.shape[1], ids.shape[1]).tril().double())
    return (read(x, memory, w[2], real) @ table.mT).to(dtype)


ALTERNATIVES = (_by_torch, _word_by_word, _one_hot)
