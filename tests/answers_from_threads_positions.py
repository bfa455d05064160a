"""Answers on positions, made anew after public threads: wrong ones.

Each is written as a learner would write it after that mistake. Which thread, and what the check has
to say, stands in `tests/grading/test_answers_from_threads_positions.py`.
"""

import math
from typing import Any

import torch
from torch.nn import functional as F

# -- what attention does not see -------------------------------------------------------------------


def shuffled_input_same_result(f: Any, x: Any, perm: Any) -> bool:
    return bool((f(x) - f(x.index_select(0, perm))).abs().amax() < 1e-5)


def pooled_result(f: Any, x: Any, perm: Any) -> bool:
    before, after = f(x).max(dim=0).values, f(x[perm]).max(dim=0).values
    return bool(torch.allclose(before, after))


# -- waves -----------------------------------------------------------------------------------------


def own_exponent_for_each_column(T: int, C: int, base: float = 10000.0) -> Any:
    table = torch.tensor(
        [[t / math.pow(base, 2 * j / C) for j in range(C)] for t in range(T)], dtype=torch.float64
    )
    table[:, 0::2] = table[:, 0::2].sin()
    table[:, 1::2] = table[:, 1::2].cos()
    return table


def loop_in_steps_of_two(T: int, C: int, base: float = 10000.0) -> Any:
    pe = torch.zeros(T, C + C % 2)
    for pos in range(T):
        for i in range(0, C, 2):
            pe[pos, i] = math.sin(pos / base ** (2 * i / C))
            pe[pos, i + 1] = math.cos(pos / base ** (2 * (i + 1) / C))
    return pe[:, :C]


def timescales_in_halves(T: int, C: int, base: float = 10000.0) -> Any:
    count = math.ceil(C / 2)
    step = math.log(base) / max(count - 1, 1)
    scaled = torch.arange(T).double()[:, None] * torch.exp(-step * torch.arange(count).double())
    return torch.cat([scaled.sin(), scaled.cos()[:, : C // 2]], dim=1)


def two_slices_of_one_length(T: int, C: int, base: float = 10000.0) -> Any:
    position = torch.arange(T).unsqueeze(1)
    steps = torch.exp(torch.arange(0, C, 2) * (-math.log(base) / C))
    pe = torch.zeros(1, T, C)
    pe[0, :, 0::2] = torch.sin(position * steps)
    pe[0, :, 1::2] = torch.cos(position * steps)
    return pe[0]


def integer_division(T: int, C: int, base: float = 10000.0) -> Any:
    angles = torch.arange(T).double()[:, None] / base ** torch.div(
        2 * (torch.arange(C) // 2), C, rounding_mode="floor"
    )
    return torch.where(torch.arange(C) % 2 == 0, angles.sin(), angles.cos())


# -- rotations -------------------------------------------------------------------------------------


def _other_half(x: Any) -> Any:
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


def _theta(D: int, base: float) -> Any:
    return 1.0 / base ** (torch.arange(0, D, 2).double() / D)


def _by_angles(x: Any, angles: Any) -> Any:
    emb = torch.cat((angles, angles), dim=-1)
    wide = torch.promote_types(x.dtype, torch.float32)
    y = x.to(wide) * emb.cos().to(wide) + _other_half(x.to(wide)) * emb.sin().to(wide)
    return y.to(x.dtype)


def everything_in_the_models_precision(x: Any, positions: Any, base: float = 10000.0) -> Any:
    inv_freq = _theta(x.shape[-1], base).to(x.dtype)
    freqs = torch.einsum("i,j->ij", positions.type_as(inv_freq), inv_freq)
    emb = torch.cat((freqs, freqs), dim=-1)
    return x * emb.cos() + _other_half(x) * emb.sin()


def frequencies_cast_with_the_model(x: Any, positions: Any, base: float = 10000.0) -> Any:
    inv_freq = _theta(x.shape[-1], base).to(x.dtype).double()
    return _by_angles(x, torch.outer(positions.double(), inv_freq))


def positions_and_frequencies_cast(x: Any, positions: Any, base: float = 10000.0) -> Any:
    t, inv_freq = positions.to(x.dtype), _theta(x.shape[-1], base).to(x.dtype)
    angles = t.double()[:, None] * inv_freq.double()[None, :]
    return _by_angles(x, angles)


def interleaved_table_with_halves(x: Any, positions: Any, base: float = 10000.0) -> Any:
    emb = torch.outer(positions.double(), _theta(x.shape[-1], base)).repeat_interleave(2, -1)
    y = x.double() * emb.cos() + _other_half(x.double()) * emb.sin()
    return y.to(x.dtype)


def repeated_table_with_neighbours(x: Any, positions: Any, base: float = 10000.0) -> Any:
    emb = torch.outer(positions.double(), _theta(x.shape[-1], base)).repeat(1, 2)
    wide = x.double()
    pairs = wide.reshape(*x.shape[:-1], -1, 2)
    other = torch.stack([-pairs[..., 1], pairs[..., 0]], dim=-1).reshape(x.shape)
    return (wide * emb.cos() + other * emb.sin()).to(x.dtype)


def transposed_rotation(x: Any, positions: Any, base: float = 10000.0) -> Any:
    d = x.shape[-1] // 2
    angles = torch.outer(positions.double(), _theta(x.shape[-1], base))
    wide = torch.promote_types(x.dtype, torch.float32)
    cos, sin = angles.cos().to(wide), angles.sin().to(wide)
    x1, x2 = x[..., :d].to(wide), x[..., d:].to(wide)
    return torch.cat([x1 * cos + x2 * sin, x2 * cos - x1 * sin], -1).to(x.dtype)


def minus_the_other_half(x: Any, positions: Any, base: float = 10000.0) -> Any:
    emb = torch.outer(positions.double(), _theta(x.shape[-1], base)).repeat(1, 2)
    return (x.double() * emb.cos() - _other_half(x.double()) * emb.sin()).to(x.dtype)


def neighbours_as_complex(x: Any, positions: Any, base: float = 10000.0) -> Any:
    turns = torch.exp(1j * torch.outer(positions.double(), _theta(x.shape[-1], base)))
    pairs = torch.view_as_complex(x.double().reshape(*x.shape[:-1], -1, 2).contiguous())
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)


def angles_times_pi(x: Any, positions: Any, base: float = 10000.0) -> Any:
    return _by_angles(x, math.pi * torch.outer(positions.double(), _theta(x.shape[-1], base)))


def divided_by_the_whole_head(x: Any, positions: Any, base: float = 10000.0) -> Any:
    D = x.shape[-1]
    inv_freq = 1.0 / base ** (torch.arange(0, D // 2).double() / D)
    return _by_angles(x, positions.double()[:, None] * inv_freq)


def exponent_of_the_handout(x: Any, positions: Any, base: float = 10000.0) -> Any:
    D = x.shape[-1]
    theta = torch.tensor([base ** (-(2 * k - 1) / D) for k in range(1, D // 2 + 1)]).double()
    return _by_angles(x, torch.outer(positions.double(), theta))


def exponent_without_its_minus(x: Any, positions: Any, base: float = 10000.0) -> Any:
    D = x.shape[-1]
    theta = torch.stack([torch.tensor(base).double() ** (2 * (i - 1) / D)
                         for i in range(1, D // 2 + 1)])  # fmt: skip
    return _by_angles(x, torch.outer(positions.double(), theta))


def every_call_starts_at_zero(x: Any, positions: Any, base: float = 10000.0) -> Any:
    t = torch.arange(x.shape[-2], dtype=torch.float64)
    return _by_angles(x, torch.outer(t, _theta(x.shape[-1], base)))


def cached_by_length(x: Any, positions: Any, base: float = 10000.0) -> Any:
    """Keep the angles of the first call with so many rows, so wide rows and such a base."""
    key = (len(positions), x.shape[-1], base)
    if key not in KEPT:
        KEPT[key] = torch.outer(positions.double(), _theta(x.shape[-1], base))
    return _by_angles(x, KEPT[key])


KEPT: dict[tuple[int, int, float], Any] = {}

# -- attention -------------------------------------------------------------------------------------


def _split(rows: Any, H: int) -> Any:
    return rows.unflatten(-1, (H, -1)).transpose(-3, -2)


def _rope(x: Any, positions: Any, base: float) -> Any:
    return _by_angles(x, torch.outer(positions.double(), _theta(x.shape[-1], base)))


def _read(q: Any, k: Any, v: Any) -> Any:
    return F.scaled_dot_product_attention(q, k, v)


def turned_along_the_heads(
    x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, positions: Any, base: float = 10000.0
) -> Any:
    q, k, v = ((x @ w).unflatten(-1, (H, -1)) for w in (w_q, w_k, w_v))
    q, k = (_rope(one, torch.arange(H), base) for one in (q, k))
    return _read(*(one.transpose(-3, -2) for one in (q, k, v)))


def tables_that_index_heads(
    x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, positions: Any, base: float = 10000.0
) -> Any:
    q, k, v = ((x @ w).unflatten(-1, (H, -1)) for w in (w_q, w_k, w_v))
    return _read(*(one.transpose(-3, -2) for one in (
        _rope(q, positions, base), _rope(k, positions, base), v)))  # fmt: skip


def values_turned_too(
    x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, positions: Any, base: float = 10000.0
) -> Any:
    return _read(*(_rope(_split(x @ w, H), positions, base) for w in (w_q, w_k, w_v)))


def values_turned_twice(
    x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, positions: Any, base: float = 10000.0
) -> Any:
    q, k, v = (_rope(_split(x @ w, H), positions, base) for w in (w_q, w_k, w_v))
    return _read(q, k, _rope(v, positions, base))


def key_is_not_written_back(
    x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, positions: Any, base: float = 10000.0
) -> Any:
    q, k, v = (_split(x @ w, H) for w in (w_q, w_k, w_v))
    return _read(_rope(q, positions, base), k, v)


def halves_crossed(
    x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, positions: Any, base: float = 10000.0
) -> Any:
    q, k, v = (_split(x @ w, H) for w in (w_q, w_k, w_v))
    (q1, _), (_, k2) = (_rope(one, positions, base).chunk(2, -1) for one in (q, k))
    mixed = torch.cat([q1, k2], -1)
    return _read(mixed, mixed, v)


# -- what is left at a distance --------------------------------------------------------------------


def similarity_with_a_slow_fall(D: int, distance: int, n: int, generator: Any) -> float:
    x = torch.randn(n, D, generator=generator, dtype=torch.float64)
    turned = divided_by_the_whole_head(x[:, None], torch.tensor([distance]))[:, 0]
    return float(((turned * x).sum(-1) / (x * x).sum(-1)).mean())


# -- penalties -------------------------------------------------------------------------------------


def _slopes(H: int) -> list[float]:
    power = 2 ** math.floor(math.log2(H))
    return [2 ** (-8 * (h + 1) / power) for h in range(power)] + [
        2 ** (-4 * (2 * h + 1) / power) for h in range(H - power)
    ]


def _steps(T: int, S: int) -> Any:
    return torch.arange(S)[None, :] - torch.arange(S - T, S)[:, None]


def _bias(slopes: Any, steps: Any) -> Any:
    return torch.as_tensor(slopes).view(-1, 1, 1) * steps


def first_slope_is_one(H: int, T: int, S: int) -> Any:
    return _bias([2 ** (-8 * h / H) for h in range(H)], _steps(T, S))


def one_geometric_sequence(H: int, T: int, S: int) -> Any:
    x = (2**8) ** (1 / H)
    return _bias([x**-h for h in range(1, H + 1)], _steps(T, S))


def query_less_key(H: int, T: int, S: int) -> Any:
    q_idx, kv_idx = torch.arange(S - T, S)[:, None], torch.arange(S)
    return _bias(_slopes(H), q_idx - kv_idx)


def slope_times_key(H: int, T: int, S: int) -> Any:
    return _bias(_slopes(H), torch.arange(S).expand(T, S))


def over_the_queries_alone(H: int, T: int, S: int) -> Any:
    return _bias(_slopes(H), _steps(T, T))


def one_step_too_far(H: int, T: int, S: int) -> Any:
    context_len = torch.arange(S - T, S)[:, None] + 1
    return _bias(_slopes(H), torch.arange(S) - context_len)


def row_of_the_last_query(H: int, T: int, S: int) -> Any:
    return _bias(_slopes(H), torch.arange(1 - S, 1).view(1, 1, S)).repeat(1, T, 1)


def scaled_with_the_products(query: Any, key: Any, slopes: Any) -> Any:
    T, S, D = query.shape[-2], key.shape[-2], query.shape[-1]
    attention_scores = query @ key.transpose(-1, -2)
    attention_scores = attention_scores + slopes[:, None, None] * _steps(T, S)
    return attention_scores * D**-0.5


def mask_scaled_in_the_kernel(query: Any, key: Any, slopes: Any) -> Any:
    T, S, D = query.shape[-2], key.shape[-2], query.shape[-1]
    bias = (slopes[:, None, None] * _steps(T, S)).to(query.dtype)
    return (query / D**0.5) @ key.transpose(-1, -2) + bias / math.sqrt(D)


def bias_over_the_query_window(query: Any, key: Any, slopes: Any) -> Any:
    T, D = query.shape[-2], query.shape[-1]
    return query @ key.transpose(-1, -2) / D**0.5 + slopes[:, None, None] * _steps(T, T)


# -- stretching ------------------------------------------------------------------------------------


def _yarn(
    D: int, base: float, context: float, factor: float, alpha: float, beta: float,
    rounded: Any = (float, float), far: Any = None, conc: Any = None,
) -> Any:  # fmt: skip
    def dim(rotations: float) -> float:
        return (D * math.log(context / (rotations * 2 * math.pi))) / (2 * math.log(base))

    low, high = rounded[0](dim(beta)), rounded[1](dim(alpha))
    low, high = max(low, 0), min(high, D - 1)
    if low == high:
        high += 0.001
    ramp = torch.clamp((torch.arange(D // 2).double() - low) / (high - low), 0, 1)
    extra = _theta(D, base)
    inter = extra / factor if far is None else far(extra, factor, D)
    inv_freq = inter * ramp + extra * (1 - ramp)
    return inv_freq, (0.1 * math.log(factor) + 1.0 if conc is None else conc(factor))


def ends_always_rounded(*sizes: Any) -> Any:
    return _yarn(*sizes, rounded=(math.floor, math.ceil))


def rounded_and_under_the_power(*sizes: Any) -> Any:
    def far(extra: Any, factor: float, D: int) -> Any:
        return extra * factor ** -(torch.arange(D // 2).double() / (D / 2))

    return _yarn(*sizes, rounded=(math.floor, math.ceil), far=far)


def wavelengths_blended(
    D: int, base: float, context: int, factor: float, alpha: float, beta: float
) -> Any:
    plain, concentration = _yarn(D, base, context, 1.0, alpha, beta)
    slow, _ = _yarn(D, base, context, 2.0, alpha, beta)
    ramp = 2 * (1 - slow / plain)
    return plain / ((1 - ramp) + ramp * factor), 0.1 * math.log(factor) + concentration


def ratio_of_two_equal_scales(*sizes: Any) -> Any:
    def get_mscale(scale: float, mscale: float) -> float:
        return 0.1 * mscale * math.log(scale) + 1.0

    return _yarn(*sizes, conc=lambda factor: get_mscale(factor, 1.0) / get_mscale(factor, 1.0))


def context_of_the_long_model(
    D: int, base: float, context: int, factor: float, alpha: float, beta: float
) -> Any:
    return _yarn(D, base, int(context * factor), factor, alpha, beta)


def logarithm_taken_twice(*sizes: Any) -> Any:
    def conc(factor: float) -> float:
        mscale = 0.1 * math.log(factor) + 1.0
        return 0.1 * mscale * math.log(factor) + 1.0

    return _yarn(*sizes, conc=conc)


def slow_and_fast_exchanged(
    D: int, base: float, context: int, factor: float, beta_slow: float, beta_fast: float
) -> Any:
    def dim(rotations: float) -> float:
        return D / 2 * math.log(context / (2 * math.pi * rotations)) / math.log(base)

    low, high = max(dim(beta_slow), 0), min(dim(beta_fast), D - 1)
    ramp = ((torch.arange(D // 2) - low) / (high - low)).clamp(0, 1).double()
    theta = _theta(D, base)
    return theta / factor * ramp + theta * (1 - ramp), 0.1 * math.log(factor) + 1.0


def rotary_and_scale(q: Any, k: Any, positions: Any, inv_freq: Any, concentration: float) -> Any:
    angles = torch.outer(positions.double(), inv_freq.double())
    q, k = (concentration * _by_angles(one, angles) for one in (q, k))
    return q @ k.mT * (concentration**2 / math.sqrt(q.shape[-1]))


def magnitude_dropped(q: Any, k: Any, positions: Any, inv_freq: Any, concentration: float) -> Any:
    angles = torch.outer(positions.double(), inv_freq.double())
    return _by_angles(q, angles) @ _by_angles(k, angles).mT / math.sqrt(q.shape[-1])
