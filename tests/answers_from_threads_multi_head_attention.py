"""Answers on multi-head attention, made anew after public threads: wrong ones, and right ones.

Each wrong one is written as a learner would write it after that mistake. Which thread, and what the
check has to say, stands in `tests/grading/test_answers_from_threads_multi_head_attention.py`.
"""

import math
from typing import Any

import torch
from torch.nn import functional as F

# -- splitting and merging -------------------------------------------------------------------------


def viewed_at_once(x: Any, H: int) -> Any:
    *batch, T, C = x.shape
    return x.contiguous().view(*batch, H, T, C // H)


def heads_into_the_batch(x: Any, H: int) -> Any:
    if x.ndim < 3:
        x = x[None]
    return x.reshape(x.shape[0] * H, -1, x.shape[-1] // H)


def heads_before_the_batch(x: Any, H: int) -> Any:
    parts = x.reshape(*x.shape[:-1], H, x.shape[-1] // H)
    return parts.permute(-2 % parts.ndim, *range(parts.ndim - 2), parts.ndim - 1)


def reshaped_without_a_permute(values: Any) -> Any:
    *batch, H, T, D = values.shape
    return values.contiguous().view(*batch, T, H * D)


def batch_taken_for_heads(output: Any) -> Any:
    *batch, H, T, D = output.shape
    B = math.prod(batch)
    swapped = output.reshape(H, B, T, D).permute(0, 2, 1, 3)
    return swapped.reshape(*batch, T, H * D)


# -- whole layers ----------------------------------------------------------------------------------


def _split(rows: Any, H: int) -> Any:
    return rows.unflatten(-1, (H, -1)).transpose(-3, -2)


def _merge(found: Any) -> Any:
    return found.transpose(-3, -2).flatten(-2)


def _read(q: Any, k: Any, v: Any, may: Any, root: float) -> Any:
    scores = q @ k.mT / root
    if may is None:
        return scores.softmax(-1) @ v
    scores = scores.masked_fill(~may, torch.finfo(scores.dtype).min)
    return torch.where(may.any(-1, keepdim=True), scores.softmax(-1), 0.0) @ v


def _spread(may: Any) -> Any:
    return may if may is None or may.ndim == 2 else may.unsqueeze(-3)


def _layer(root: Any) -> Any:
    """Make a layer that divides its scores by something of its own."""

    def layer(
        x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may_attend: Any = None
    ) -> Any:
        q, k, v = (_split(x @ w, H) for w in (w_q, w_k, w_v))
        return _merge(_read(q, k, v, _spread(may_attend), root(x, q, H))) @ w_o

    return layer


def root_of_all_features(*given: Any, **named: Any) -> Any:
    return _layer(lambda x, q, H: x.shape[-1] ** 0.5)(*given, **named)


def root_of_the_number_of_heads(*given: Any, **named: Any) -> Any:
    return _layer(lambda x, q, H: H**0.5)(*given, **named)


def divided_by_the_reciprocal(*given: Any, **named: Any) -> Any:
    return _layer(lambda x, q, H: q.shape[-1] ** -0.5)(*given, **named)


def one_small_matrix_for_all_heads(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may_attend: Any = None
) -> Any:
    parts = _split(x, H)
    size = parts.shape[-1]
    q, k, v = (parts @ w[:size, : w.shape[1] // H] for w in (w_q, w_k, w_v))
    return _merge(_read(q, k, v, _spread(may_attend), q.shape[-1] ** 0.5)) @ w_o


def heads_summed(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may_attend: Any = None
) -> Any:
    q, k, v = (_split(x @ w, H) for w in (w_q, w_k, w_v))
    return _read(q, k, v, _spread(may_attend), q.shape[-1] ** 0.5).sum(-3)


def mask_without_an_axis_for_heads(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may_attend: Any = None
) -> Any:
    q, k, v = (_split(x @ w, H) for w in (w_q, w_k, w_v))
    return _merge(_read(q, k, v, may_attend, q.shape[-1] ** 0.5)) @ w_o


def mask_repeated_in_the_other_order(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may_attend: Any = None
) -> Any:
    q, k, v = (_split(x @ w, H).flatten(0, -3) for w in (w_q, w_k, w_v))
    may = may_attend
    if may is not None:
        may = may.reshape(-1, *may.shape[-2:])
        may = may.repeat(len(q) // len(may), 1, 1)
    found = _read(q, k, v, may, q.shape[-1] ** 0.5)
    return _merge(found.reshape(*x.shape[:-2], H, *found.shape[-2:])) @ w_o


def viewed_there_and_back(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may_attend: Any = None
) -> Any:
    *batch, T, _ = x.shape
    q, k, v = ((x @ w).reshape(*batch, H, T, -1) for w in (w_q, w_k, w_v))
    found = _read(q, k, v, _spread(may_attend), q.shape[-1] ** 0.5)
    return found.reshape(*batch, T, -1) @ w_o


def values_by_the_keys_matrix(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may_attend: Any = None
) -> Any:
    q, k, v = (_split(x @ w, H) for w in (w_q, w_k, w_k))
    return _merge(_read(q, k, v, _spread(may_attend), q.shape[-1] ** 0.5)) @ w_o


def _cross(asks: str, keys: str, values: str) -> Any:
    def layer(
        x: Any, context: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int,
        may_attend: Any = None,
    ) -> Any:  # fmt: skip
        known = {"x": x, "context": context}
        q, k, v = (
            _split(known[name] @ w, H)
            for name, w in zip((asks, keys, values), (w_q, w_k, w_v), strict=True)
        )
        return _merge(_read(q, k, v, _spread(may_attend), q.shape[-1] ** 0.5)) @ w_o

    return layer


the_encoder_asks = _cross("context", "x", "x")
the_decoder_reads_itself = _cross("x", "x", "x")

# -- contributions and counts ----------------------------------------------------------------------


def _found(x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, h: int) -> Any:
    q, k, v = (x @ w.chunk(H, -1)[h] for w in (w_q, w_k, w_v))
    return _read(q, k, v, None, q.shape[-1] ** 0.5)


def with_the_residual(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, b_o: Any, H: int, h: int
) -> Any:
    return x + _found(x, w_q, w_k, w_v, H, h) @ w_o.chunk(H, 0)[h]


def another_block_of_w_o(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, b_o: Any, H: int, h: int
) -> Any:
    rows = torch.arange(len(w_o)) % H == h
    return _found(x, w_q, w_k, w_v, H, h) @ w_o[rows]


def every_head_as_wide_as_the_model(C: int, H: int, D: int, bias: bool) -> int:
    inside = C * H
    return 3 * (C * inside + bias * inside) + inside * C + bias * C


def square_output_matrix(C: int, H: int, D: int, bias: bool) -> int:
    return 3 * C * H * D + C * C + bias * (3 * H * D + C)


def only_the_linear_layers(B: int, T: int, S: int, C: int, H: int, D: int) -> int:
    return 4 * B * (T + S) * C * H * D


def one_of_the_two_products(B: int, T: int, S: int, C: int, H: int, D: int) -> int:
    return only_the_linear_layers(B, T, S, C, H, D) + 2 * B * H * T * S * D


def values_counted_by_halves(B: int, T: int, S: int, C: int, H: int, D: int) -> int:
    return only_the_linear_layers(B, T, S, C, H, D) + 3 * B * H * T * S * D


def large_matrices_with_both_tables(layers: int) -> int:
    return layers * 12 * 12288**2 + 2 * 50257 * 12288


def without_biases_and_positions(layers: int) -> int:
    d = 12288
    return layers * (4 * d * d + 2 * d * 4 * d + 4 * d) + 2 * 50257 * d


def lengths_along_the_second_axis(H: int, C: int, n: int, generator: Any) -> float:
    c = torch.randn(n, H, C, generator=generator)
    return float((c.sum(1).norm(dim=-1) / c.norm(dim=1).sum(-1)).mean())


# -- right answers in styles that few write --------------------------------------------------------


def split_by_einsum(x: Any, H: int) -> Any:
    D = x.shape[-1] // H
    places = torch.eye(H * D, dtype=x.dtype).reshape(H * D, H, D)
    return torch.einsum("...tc,chd->...htd", x, places)


def split_by_gathering(x: Any, H: int) -> Any:
    D = x.shape[-1] // H
    return x.mT.unflatten(-2, (H, D)).mT


def merge_through_a_list(x: Any) -> Any:
    rows = [torch.cat(list(x[..., t, :].unbind(-2)), -1) for t in range(x.shape[-2])]
    return torch.stack(rows, -2)


def layer_by_torchs_kernel(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may_attend: Any = None
) -> Any:
    q, k, v = (torch.stack((x @ w).tensor_split(H, -1), -3) for w in (w_q, w_k, w_v))
    found = F.scaled_dot_product_attention(q, k, v, attn_mask=_spread(may_attend))
    return sum(one @ o for one, o in zip(found.unbind(-3), w_o.tensor_split(H, 0), strict=True))


def cross_with_scaled_matrices(
    x: Any, context: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may_attend: Any = None
) -> Any:
    D = w_q.shape[1] // H
    q = _split(x @ (w_q * D**-0.5), H)
    k, v = _split(context @ w_k, H), _split(context @ w_v, H)
    return _merge(_read(q, k, v, _spread(may_attend), 1.0)) @ w_o


def contribution_by_one_matrix(
    x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, b_o: Any, H: int, h: int
) -> Any:
    """Multiply values and output matrix first: one matrix of C × C."""
    moves = w_v.chunk(H, -1)[h] @ w_o.chunk(H, 0)[h]
    q, k = x @ w_q.chunk(H, -1)[h], x @ w_k.chunk(H, -1)[h]
    return (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1) @ (x @ moves)


def adding_up_in_batches(H: int, C: int, n: int, generator: Any) -> float:
    total = 0.0
    for _ in range(n):
        c = torch.randn(H, C, generator=generator, dtype=torch.float64)
        total += float(c.sum(0).square().sum().sqrt() / c.square().sum(-1).sqrt().sum())
    return total / n


def parameters_by_torch(C: int, H: int, D: int, bias: bool) -> int:
    inside = H * D
    with torch.device("meta"):
        layers = [torch.nn.Linear(C, inside, bias=bias) for _ in range(3)]
        layers.append(torch.nn.Linear(inside, C, bias=bias))
    return sum(one.numel() for layer in layers for one in layer.parameters())


def flops_as_a_float(B: int, T: int, S: int, C: int, H: int, D: int) -> int:
    return round(4.0 * B * H * D * ((T + S) * C + T * S))


def gpt3_from_one_layer(layers: int) -> int:
    return 1_812_099_072 * layers + 642_723_840 + 24_576
