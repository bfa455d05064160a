"""Answers on the Transformer block, made anew after public threads: wrong ones, and right ones.

Each wrong one is written as a learner would write it after that mistake. Which thread, and what the
check has to say, stands in `tests/grading/test_answers_from_threads_transformer_block.py`.
"""

import math
from typing import Any

import torch
from torch.nn import functional as F

# -- norms -----------------------------------------------------------------------------------------


def switched_by_an_exponential(x: Any) -> Any:
    return x / (1.0 + torch.exp(-x))


def bent_without_its_gate(z: Any) -> Any:
    return 1.0 / (1.0 + torch.exp(-z.clamp(min=-80)))


def divided_by_rsqrt(x: Any, g: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    inverse = torch.rsqrt(torch.mean(wide**2, dim=-1, keepdim=True) + eps)
    return (wide / inverse * g).to(x.dtype)


def eps_beside_the_length(x: Any, g: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    return (wide / (length * x.shape[-1] ** -0.5 + eps) * g).to(x.dtype)


def eps_never_read(x: Any, g: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * wide.pow(2).mean(-1, True).rsqrt() * g).to(x.dtype)


def one_added_to_the_gain(x: Any, g: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * (wide.pow(2).mean(-1, True) + eps).rsqrt() * (g + 1.0)).to(x.dtype)


def squared_as_it_comes(x: Any, g: Any, eps: float) -> Any:
    return g * x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + eps)


def eps_behind_a_rescaling(x: Any, g: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    largest = wide.abs().amax(-1, keepdim=True).clamp(min=1e-30)
    small = wide / largest
    return (small / (small.square().mean(-1, keepdim=True) + eps).sqrt() * g).to(x.dtype)


def by_normalize(x: Any, g: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (F.normalize(wide, dim=-1) * x.shape[-1] ** 0.5 * g).to(x.dtype)


def annotated(x: Any, g: Any, b: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    mean, std = wide.mean(-1, keepdim=True), wide.std(-1, keepdim=True)
    return (g * (wide - mean) / (std + eps) + b).to(x.dtype)


def annotated_and_biased(x: Any, g: Any, b: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    mean, std = wide.mean(-1, keepdim=True), wide.std(-1, correction=0, keepdim=True)
    return (g * (wide - mean) / (std + eps) + b).to(x.dtype)


def root_of_the_deviation(x: Any, g: Any, b: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    mean, std = wide.mean(-1, keepdim=True), wide.std(-1, correction=0, keepdim=True)
    return (g * (wide - mean) / (std + eps).sqrt() + b).to(x.dtype)


def without_what_is_learnt(x: Any, g: Any, b: Any, eps: float) -> Any:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    centred = wide - wide.mean(-1, keepdim=True)
    return (centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt()).to(x.dtype)


# -- networks --------------------------------------------------------------------------------------


def bends_what_is_gated(x: Any, w_gate: Any, w_up: Any, w_down: Any) -> Any:
    gate, up = x @ w_gate, x @ w_up
    return (F.silu(up) * gate) @ w_down


def bends_the_product(x: Any, w_gate: Any, w_up: Any, w_down: Any) -> Any:
    return F.silu((x @ w_gate) * (x @ w_up)) @ w_down


def only_the_activation(x: Any, w_gate: Any, w_up: Any, w_down: Any) -> Any:
    return F.silu(x @ w_gate) @ w_down


def four_times(C: int, multiple_of: int = 1) -> int:
    return math.ceil(4 * C / multiple_of) * multiple_of


def times_pi(C: int, multiple_of: int = 1) -> int:
    return math.ceil(C * math.pi / multiple_of) * multiple_of


def halved_once_more(C: int, multiple_of: int = 1) -> int:
    return -(-int(4 * C / 2 * 2 / 3) // multiple_of) * multiple_of


# -- streams ---------------------------------------------------------------------------------------


def products_without_lengths(kind: str, writes: int, C: int, n: int, generator: Any) -> float:
    first = torch.randn(n, C, generator=generator)
    stream = first
    for _ in range(writes):
        stream = stream + torch.randn(n, C, generator=generator)
        if kind == "post":
            stream = F.rms_norm(stream, (C,))
    return float(torch.einsum("nc,nc->n", first, stream).mean())


def normed_at_the_end_alone(kind: str, writes: int, C: int, n: int, generator: Any) -> float:
    first = torch.randn(n, C, generator=generator)
    stream = first + sum(torch.randn(n, C, generator=generator) for _ in range(writes))
    if kind == "post":
        stream = F.rms_norm(stream, (C,))
    return float(F.cosine_similarity(first, stream).mean())


# -- blocks ----------------------------------------------------------------------------------------


def _norm(rows: Any, g: Any, eps: float) -> Any:
    return F.rms_norm(rows, rows.shape[-1:], g, eps)


def _attend(rows: Any, read: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may: Any) -> Any:
    q, k, v = (
        torch.unflatten(one @ w, -1, (H, -1)).transpose(-3, -2)
        for one, w in ((rows, w_q), (read, w_k), (read, w_v))
    )
    if may is not None and may.ndim > 2:
        may = may.unsqueeze(-3)
    return (
        F.scaled_dot_product_attention(q, k, v, attn_mask=may).transpose(-3, -2).flatten(-2) @ w_o
    )


def block_of(arrange: Any) -> Any:
    """Return a block whose halves are put together by `arrange(x, norm, attend, think)`."""

    def block(
        x: Any, g_1: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, g_2: Any, w_gate: Any, w_up: Any,
        w_down: Any, H: int, may_attend: Any = None, eps: float = 1e-6,
    ) -> Any:  # fmt: skip
        def norm(rows: Any, which: int) -> Any:
            return _norm(rows, g_1 if which == 1 else g_2, eps)

        def attend(rows: Any, read: Any = None) -> Any:
            source = rows if read is None else read
            return _attend(rows, source, w_q, w_k, w_v, w_o, H, may_attend)

        def think(rows: Any) -> Any:
            return F.silu(rows @ w_gate).mul(rows @ w_up) @ w_down

        return arrange(x, norm, attend, think)

    return block


def _adds_to_the_normed(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    x = norm(x, 1)
    x = x + attend(x)
    x = norm(x, 2)
    return x + think(x)


def _adds_the_input_again(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    attended = attend(norm(x, 1)) + x
    return think(norm(attended, 2)) + x


def _one_norm_for_both(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    x = x + attend(norm(x, 1))
    return x + think(norm(x, 1))


def _norms_the_first_input(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    x = x + attend(norm(x, 1), x)
    return x + think(norm(x, 2))


def _doubles(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    x = attend(norm(x, 1))
    x = x + x
    return think(norm(x, 2)) + x


def _as_in_the_paper(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    x = norm(x + attend(x), 1)
    return norm(x + think(x), 2)


def _norms_between(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    x = attend(x) + x
    x = norm(x, 2)
    return think(x) + x


def _side_by_side(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    n = norm(x, 1)
    return x + attend(n) + think(n)


def _one_norm_in_the_stream(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    x = norm(x, 1)
    x = attend(x) + x
    x = norm(x, 1)
    return think(x) + x


def _norms_twice(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    x = x + attend(norm(norm(x, 1), 1))
    return x + think(norm(x, 2))


adds_to_the_normed = block_of(_adds_to_the_normed)
adds_the_input_again = block_of(_adds_the_input_again)
one_norm_for_both = block_of(_one_norm_for_both)
norms_the_first_input = block_of(_norms_the_first_input)
doubles = block_of(_doubles)
as_in_the_paper = block_of(_as_in_the_paper)
norms_between = block_of(_norms_between)
side_by_side = block_of(_side_by_side)
one_norm_in_the_stream = block_of(_one_norm_in_the_stream)
norms_twice = block_of(_norms_twice)

# -- translators -----------------------------------------------------------------------------------


def _read(rows: Any, read: Any, layer: Any, may: Any) -> Any:
    return F.scaled_dot_product_attention(
        rows @ layer[0], read @ layer[1], read @ layer[2], attn_mask=may
    )


def _shift(target: Any, start_id: int) -> Any:
    return torch.cat([torch.full_like(target[:, :1], start_id), target[:, :-1]], dim=1)


def _triangle(T: int) -> Any:
    return torch.ones(T, T, dtype=torch.bool).tril()


def _real(source: Any, lengths: Any) -> Any:
    return (torch.arange(source.shape[1])[None] < lengths[:, None])[:, None]


def translator(
    *, shift: Any = _shift, encode: Any = None, cross: Any = None
) -> Any:  # fmt: skip
    """Return a translator that shifts, encodes or reads the source in a way of its own."""

    def translate(
        source: Any, target: Any, source_lengths: Any, table: Any, w: Any, start_id: int
    ) -> Any:
        real = _real(source, source_lengths)
        words = table[source]
        own = real if encode is None else encode(real)
        memory = words + _read(words, words, w[0], own)
        x = table[shift(target, start_id)]
        x = x + _read(x, x, w[1], _triangle(x.shape[1]))
        found = (
            _read(x, memory, w[2], real) if cross is None else cross(x, memory, w[2], real)
        )  # fmt: skip
        return (x + found) @ table.T

    return translate


decoder_reads_itself = translator(cross=lambda x, memory, layer, real: _read(x, x, layer, None))
padding_read_by_the_decoder = translator(
    cross=lambda x, memory, layer, real: _read(x, memory, layer, None)
)
causal_encoder = translator(encode=lambda real: real & _triangle(real.shape[-1]))
foretells_what_it_reads = translator(shift=lambda target, start_id: target)
memory_asks = translator(cross=lambda x, memory, layer, real: _read(memory, x, layer, None))


def _joined(x: Any, memory: Any, layer: Any, real: Any) -> Any:
    B, T = x.shape[:2]
    may = torch.cat([_triangle(T).expand(B, T, T), real.expand(B, T, -1)], -1)
    return _read(x, torch.cat([x, memory], 1), layer, may)


own_rows_beside_the_memory = translator(cross=_joined)
masked_as_the_target_is = translator(
    cross=lambda x, memory, layer, real: _read(x, memory, layer, _triangle(x.shape[1]))
)

# -- right ones, in styles that few write ----------------------------------------------------------


def silu_by_sign(x: Any) -> Any:
    """Take the exponential of −|x| alone."""
    small = torch.exp(-x.abs())
    return x * torch.where(x >= 0, 1.0, small) / (1 + small)


def silu_by_logsumexp(x: Any) -> Any:
    return x * torch.exp(x - torch.logaddexp(x, torch.zeros_like(x)))


def rms_of_a_scaled_vector(x: Any, g: Any, eps: float) -> Any:
    """Divide by the largest entry first, and eps by its square."""
    wide = x.double()
    largest = wide.detach().abs().amax(-1, keepdim=True).clamp(min=1e-12)
    small = wide / largest
    return (small / (small.square().mean(-1, keepdim=True) + eps / largest**2).sqrt() * g).to(
        x.dtype
    )


def rms_by_a_diagonal(x: Any, g: Any, eps: float) -> Any:
    wide = x.double().unsqueeze(-2)
    square = (wide @ wide.mT).squeeze(-1) / x.shape[-1]
    return ((x.double() @ torch.diag(g.double())) * (square + eps) ** -0.5).to(x.dtype)


def rms_by_logarithms(x: Any, g: Any, eps: float) -> Any:
    wide = x.double()
    log = torch.log(wide.square().mean(-1, keepdim=True) + eps)
    return (wide * torch.exp(-0.5 * log) * g).to(x.dtype)


def layer_by_differences(x: Any, g: Any, b: Any, eps: float) -> Any:
    """Take the variance as half the mean square of all differences."""
    wide = x.double()
    differences = wide.unsqueeze(-1) - wide.unsqueeze(-2)
    variance = differences.square().mean((-2, -1))[..., None] / 2
    return (differences.mean(-1) / (variance + eps).sqrt() * g + b).to(x.dtype)


def layer_by_welford(x: Any, g: Any, b: Any, eps: float) -> Any:
    mean = square = torch.zeros_like(x[..., 0].double())
    for count, entry in enumerate(x.double().unbind(-1), 1):
        off = entry - mean
        mean = mean + off / count
        square = square + off * (entry - mean)
    spread = (square / x.shape[-1] + eps).sqrt()
    return ((x.double() - mean[..., None]) / spread[..., None] * g + b).to(x.dtype)


def swiglu_by_one_matrix(x: Any, w_gate: Any, w_up: Any, w_down: Any) -> Any:
    up, gate = torch.tensor_split(x @ torch.cat((w_up, w_gate), 1), 2, -1)
    return (up * gate / (1 + (-gate).exp())) @ w_down


def swiglu_by_linear(x: Any, w_gate: Any, w_up: Any, w_down: Any) -> Any:
    return F.linear(F.linear(x, w_up.T) * F.silu(F.linear(x, w_gate.T)), w_down.T)


def width_by_search(C: int, multiple_of: int = 1) -> int:
    return next(one for one in range(0, 9 * C + multiple_of, multiple_of) if 3 * one > 8 * C - 3)


def width_in_numpys_way(C: int, multiple_of: int = 1) -> int:
    return int(sum(divmod((8 * C // 3) + multiple_of - 1, multiple_of)[:1]) * multiple_of)


def left_by_a_running_sum(kind: str, writes: int, C: int, n: int, generator: Any) -> float:
    """Never normalise: halve what was there instead, as long as all vectors are alike long."""
    drawn = torch.randn(writes + 1, n, C, generator=generator, dtype=torch.float64)
    stream = drawn[0].clone()
    for write in drawn[1:]:
        stream += write
        if kind == "post":
            stream *= (C / stream.square().sum(-1, keepdim=True)).sqrt()
    lengths = (drawn[0].square().sum(-1) * stream.square().sum(-1)).sqrt()
    return float(((drawn[0] * stream).sum(-1) / lengths).mean())


def left_by_angles(kind: str, writes: int, C: int, n: int, generator: Any) -> float:
    """Draw in pieces, keep unit vectors, and take the cosine as 1 − |difference|² / 2."""
    total = 0.0
    for size in torch.arange(n).chunk(3):
        first = torch.randn(len(size), C, generator=generator).double()
        stream = first
        for _ in range(writes):
            stream = stream + torch.randn(len(size), C, generator=generator)
            if kind == "post":
                stream = F.normalize(stream, dim=-1) * C**0.5
        difference = F.normalize(first, dim=-1) - F.normalize(stream, dim=-1)
        total += float((1 - difference.square().sum(-1) / 2).sum())
    return total / n


def _fused(x: Any, norm: Any, attend: Any, think: Any) -> Any:
    return (h := x + attend(norm(x, 1))) + think(norm(h, 2))


def block_in_a_walrus(*given: Any, **named: Any) -> Any:
    return block_of(_fused)(*given, **named)


def block_in_place(
    x: Any, g_1: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, g_2: Any, w_gate: Any, w_up: Any,
    w_down: Any, H: int, may_attend: Any = None, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Add to a copy of the stream, in place."""
    stream, n = x.clone(), _norm(x, g_1, eps)
    stream += _attend(n, n, w_q, w_k, w_v, w_o, H, may_attend)
    m = _norm(stream.clone(), g_2, eps)
    stream += (F.silu(m @ w_gate) * (m @ w_up)) @ w_down
    return stream


def block_of_modules(
    x: Any, g_1: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, g_2: Any, w_gate: Any, w_up: Any,
    w_down: Any, H: int, may_attend: Any = None, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Let a module hold the norm, called with the learner's own parameters."""
    norm = torch.nn.RMSNorm(x.shape[-1], eps=eps, dtype=x.dtype)
    n = torch.func.functional_call(norm, {"weight": g_1}, (x,))
    h = torch.add(x, _attend(n, n, w_q, w_k, w_v, w_o, H, may_attend))
    m = torch.func.functional_call(norm, {"weight": g_2}, (h,))
    return torch.add(h, F.linear(F.silu(F.linear(m, w_gate.T)) * F.linear(m, w_up.T), w_down.T))


def block_by_einsum(
    x: Any, g_1: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, g_2: Any, w_gate: Any, w_up: Any,
    w_down: Any, H: int, may_attend: Any = None, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Give the matrices an axis of heads, and mask by a factor on the exponentials."""
    C = x.shape[-1]
    q, k, v = (w.reshape(C, H, -1) for w in (w_q, w_k, w_v))
    D = q.shape[-1]

    def norm(rows: Any, g: Any) -> Any:
        return (
            rows * g / torch.sqrt(torch.einsum("...c,...c->...", rows, rows)[..., None] / C + eps)
        )

    n = norm(x, g_1)
    query, key = (torch.einsum("...tc,chd->...htd", n, w) for w in (q, k))
    scores = torch.einsum("...htd,...hsd->...hts", query, key) / math.sqrt(D)
    powers = torch.exp(scores - scores.amax(-1, keepdim=True))
    if may_attend is not None:
        powers = powers * (may_attend if may_attend.ndim == 2 else may_attend.unsqueeze(-3))
    total = powers.sum(-1, keepdim=True)
    weights = powers / torch.where(total == 0, torch.ones_like(total), total)
    found = torch.einsum("...hts,...sc,chd,hdo->...to", weights, n, v, w_o.reshape(H, D, C))
    h = x + found
    m = norm(h, g_2)
    gate = torch.einsum("...c,cf->...f", m, w_gate)
    return h + torch.einsum("...f,...c,cf,fo->...o", gate * gate.sigmoid(), m, w_up, w_down)


def block_head_after_head(
    x: Any, g_1: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, g_2: Any, w_gate: Any, w_up: Any,
    w_down: Any, H: int, may_attend: Any = None, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Let each head and each hidden number add to the stream by itself."""
    n, stream = _norm(x, g_1, eps), x
    for q, k, v, o in zip(*(w.chunk(H, 1) for w in (w_q, w_k, w_v)), w_o.chunk(H, 0), strict=True):
        found = F.scaled_dot_product_attention(n @ q, n @ k, n @ v, attn_mask=may_attend)
        stream = stream + found @ o
    m = _norm(stream, g_2, eps)
    for gate, up, down in zip(w_gate.unbind(1), w_up.unbind(1), w_down, strict=True):
        stream = stream + (F.silu(m @ gate) * (m @ up))[..., None] * down
    return stream


def block_of_two_functions(*given: Any, **named: Any) -> Any:
    """Write both halves as residual functions, put in a row."""

    def residual(norm: Any, half: Any) -> Any:
        return lambda rows: rows + half(norm(rows))

    def arrange(x: Any, norm: Any, attend: Any, think: Any) -> Any:
        first = residual(lambda rows: norm(rows, 1), attend)
        second = residual(lambda rows: norm(rows, 2), think)
        return second(first(x))

    return block_of(arrange)(*given, **named)


def block_by_vmap(
    x: Any, g_1: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, g_2: Any, w_gate: Any, w_up: Any,
    w_down: Any, H: int, may_attend: Any = None, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Carry one example, and map that over the leading axes."""
    T = x.shape[-2]
    may = _triangle(T) | True if may_attend is None else may_attend
    may = may.expand(*x.shape[:-2], T, T).reshape(-1, T, T)

    def one(rows: Any, allowed: Any) -> Any:
        n = rows * torch.rsqrt(rows.square().mean(-1, keepdim=True) + eps) * g_1
        q, k, v = ((n @ w).reshape(T, H, -1).transpose(0, 1) for w in (w_q, w_k, w_v))
        scores = torch.where(allowed, q @ k.mT / q.shape[-1] ** 0.5, torch.finfo(x.dtype).min)
        weights = scores.softmax(-1) * allowed.any(-1, keepdim=True)
        h = rows + (weights @ v).transpose(0, 1).reshape(T, -1) @ w_o
        m = h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * g_2
        return h + (m @ w_gate * torch.sigmoid(m @ w_gate) * (m @ w_up)) @ w_down

    return torch.func.vmap(one)(x.reshape(-1, *x.shape[-2:]), may).reshape(x.shape)


def translator_by_packing(
    source: Any, target: Any, source_lengths: Any, table: Any, w: Any, start_id: int
) -> Any:
    """Cut each source to its length instead of masking it."""
    found = []
    for ids, length, words in zip(source, source_lengths.tolist(), target, strict=True):
        memory = table[ids[:length]]
        memory = memory + _read(memory, memory, w[0], None) if length else memory
        x = table[_shift(words[None], start_id)[0]]
        x = x + _read(x, x, w[1], _triangle(len(x)))
        x = x + _read(x, memory, w[2], None) if length else x
        found.append(x @ table.T)
    return torch.stack(found)


def translator_by_prefixes(
    source: Any, target: Any, source_lengths: Any, table: Any, w: Any, start_id: int
) -> Any:
    """Decode each prefix by itself and keep its last row: no causal mask."""
    real = _real(source, source_lengths)
    memory = table[source] + _read(table[source], table[source], w[0], real)
    rows = []
    for t in range(target.shape[1]):
        x = table[_shift(target, start_id)[:, : t + 1]]
        last = x[:, -1:] + _read(x[:, -1:], x, w[1], None)
        rows.append((last + _read(last, memory, w[2], real)) @ table.T)
    return torch.cat(rows, 1)


def translator_with_folded_matrices(
    source: Any, target: Any, source_lengths: Any, table: Any, w: Any, start_id: int
) -> Any:
    """Multiply queries' and keys' matrices first, and the table into both."""
    C = table.shape[1]
    pairs = [w[i, 0] @ w[i, 1].T / C**0.5 for i in range(3)]

    def read(x: Any, y: Any, i: int, may: Any) -> Any:
        scores = (x @ pairs[i] @ y.mT).masked_fill(~may, -1e30)
        return x + (scores.softmax(-1) * may) @ y @ w[i, 2]

    real = _real(source, source_lengths)
    memory = read(table[source], table[source], 0, real)
    x = table[_shift(target, start_id)]
    return read(read(x, x, 1, _triangle(x.shape[1])), memory, 2, real) @ table.mT
