"""Right answers on positions in styles that few write: each has to be accepted."""

import cmath
import math
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

# -- what attention does not see -------------------------------------------------------------------


def equivariant_in_numpy(f: Any, x: Any, perm: Any) -> bool:
    inside = f(x.index_select(0, perm)).numpy()
    return bool(np.allclose(inside, np.take(f(x).numpy(), perm.numpy(), axis=0)))


def equivariant_by_the_worst_row(f: Any, x: Any, perm: Any) -> bool:
    back = torch.empty_like(perm).scatter_(0, perm, torch.arange(len(perm)))
    restored = f(torch.stack([x[t] for t in perm.tolist()]))[back]
    return (restored - f(x)).norm(dim=-1).max().item() <= 1e-6


# -- waves -----------------------------------------------------------------------------------------


def waves_by_steps(T: int, C: int, base: float = 10000.0) -> Any:
    """Turn each pair on by one step, again and again."""
    speeds = [base ** (-2 * i / C) for i in range(math.ceil(C / 2))]
    rows = []
    for t in range(T):
        pairs = [cmath.exp(1j * t * speed) for speed in speeds]
        rows.append([part for pair in pairs for part in (pair.imag, pair.real)][:C])
    return torch.tensor(rows, dtype=torch.float64)


def waves_through_a_view(T: int, C: int, base: float = 10000.0) -> Any:
    table = torch.empty(T, C)
    angles = torch.arange(T).unsqueeze(-1) * torch.logspace(0, -2 * ((C - 1) // 2) / C,
                                                            (C + 1) // 2, base=base)  # fmt: skip
    table[:, ::2] = angles.sin()
    table[:, 1::2] = angles[:, : C // 2].cos()
    return table.float()


# -- rotations -------------------------------------------------------------------------------------


def _angles(x: Any, positions: Any, base: float) -> Any:
    half = x.shape[-1] // 2
    return positions.double()[:, None] / base ** (torch.arange(half).double() / half)


def rope_by_three_shears(x: Any, positions: Any, base: float = 10000.0) -> Any:
    """A rotation is three shears: −tan(a/2), sin a, −tan(a/2)."""
    angles = _angles(x, positions, base)
    tangent, sine = (angles / 2).tan(), angles.sin()
    a, b = x.double().chunk(2, -1)
    a = a - tangent * b
    b = b + sine * a
    a = a - tangent * b
    return torch.cat([a, b], -1).to(x.dtype)


def rope_by_two_reflections(x: Any, positions: Any, base: float = 10000.0) -> Any:
    """Mirror each pair at the first axis, then at the line of half the angle."""
    half_turn = _angles(x, positions, base) / 2
    a, b = x.double().chunk(2, -1)
    b = -b
    c, s = half_turn.cos(), half_turn.sin()
    along = a * c + b * s
    return torch.cat([2 * along * c - a, 2 * along * s - b], -1).to(x.dtype)


def rope_through_neighbours(x: Any, positions: Any, base: float = 10000.0) -> Any:
    """Bring partners side by side, turn complex numbers, and bring them back."""
    pairs = torch.view_as_complex(x.double().unflatten(-1, (2, -1)).mT.contiguous())
    turned = pairs * torch.polar(torch.ones(1).double(), _angles(x, positions, base))
    return torch.view_as_real(turned).mT.flatten(-2).to(x.dtype)


def rope_by_einsum(x: Any, positions: Any, base: float = 10000.0) -> Any:
    angles = _angles(x, positions, base)
    c, s = angles.cos(), angles.sin()
    turns = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])  # out, in, T, D/2
    pairs = x.double().unflatten(-1, (2, -1))
    return torch.einsum("oitd,...tid->...tod", turns, pairs).flatten(-2).to(x.dtype)


def rope_row_by_row(x: Any, positions: Any, base: float = 10000.0) -> Any:
    half, rows = x.shape[-1] // 2, []
    for row, t in zip(x.unbind(-2), positions.tolist(), strict=True):
        entries: list[Any] = [None] * (2 * half)
        for i in range(half):
            turn = cmath.rect(1.0, t * base ** (-i / half))
            a, b = row[..., i].double(), row[..., half + i].double()
            entries[i] = a * turn.real - b * turn.imag
            entries[half + i] = a * turn.imag + b * turn.real
        rows.append(torch.stack(entries, -1))
    return torch.stack(rows, -2).to(x.dtype)


def rope_from_a_table(x: Any, positions: Any, base: float = 10000.0) -> Any:
    """Look up cosines and sines, rounded to the dtype of x, in a table of 8192 positions."""
    half = x.shape[-1] // 2
    every = torch.arange(8192).double()[:, None] * base ** (-torch.arange(half).double() / half)
    table = torch.stack([every.cos(), every.sin()]).to(x.dtype)
    cos, sin = F.embedding(positions, table[0]), F.embedding(positions, table[1])
    return torch.cat([x[..., :half] * cos - x[..., half:] * sin,
                      x[..., half:] * cos + x[..., :half] * sin], -1)  # fmt: skip


def rope_by_vmap(x: Any, positions: Any, base: float = 10000.0) -> Any:
    def of_a_row(row: Any, angle: Any) -> Any:
        a, b = row.double().tensor_split(2)
        return torch.hstack([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()])

    over_rows = torch.func.vmap(of_a_row)
    flat = x.reshape(-1, *x.shape[-2:])
    angles = _angles(x, positions, base)
    return torch.func.vmap(over_rows, in_dims=(0, None))(flat, angles).reshape(x.shape).to(x.dtype)


def rope_by_powers_of_one_step(x: Any, positions: Any, base: float = 10000.0) -> Any:
    """Square the turn of one step again and again; multiply what a position's bits ask for."""
    half = x.shape[-1] // 2
    step = torch.exp(1j * base ** (-torch.arange(half).double() / half))
    turns = torch.ones(len(positions), half, dtype=torch.complex128)
    for bit in range(int(positions.max()).bit_length()):
        is_set = (positions >> bit) % 2 == 1
        turns = torch.where(is_set[:, None], turns * step, turns)
        step = step * step
    a, b = x.double().chunk(2, -1)
    return torch.cat([a * turns.real - b * turns.imag, b * turns.real + a * turns.imag], -1).to(
        x.dtype
    )


# -- attention -------------------------------------------------------------------------------------


def _heads(x: Any, w: Any, H: int) -> Any:
    return torch.stack([x @ part for part in w.tensor_split(H, dim=-1)], -3)


def attention_counted_from_the_last(
    x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, positions: Any, base: float = 10000.0
) -> Any:
    """Turn by what lies between a row and the last one, the other way: distances are the same."""
    q, k, v = (_heads(x, w, H) for w in (w_q, w_k, w_v))
    apart = positions - positions.max() + 10_000
    q, k = (rope_by_einsum(one, apart, base) for one in (q, k))
    return F.scaled_dot_product_attention(q, k, v)


def attention_that_turns_queries_alone(
    x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, positions: Any, base: float = 10000.0
) -> Any:
    """For each key, the query is turned by the distance, and the key not at all."""
    q, k, v = (_heads(x, w, H) for w in (w_q, w_k, w_v))
    columns = []
    for s in range(x.shape[-2]):
        apart = positions - positions[s]
        half = q.shape[-1] // 2
        angles = apart.double()[:, None] * base ** (-torch.arange(half).double() / half)
        c, n = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = q.chunk(2, -1)
        turned = torch.cat([a * c - b * n, b * c + a * n], -1)
        columns.append((turned * k[..., s : s + 1, :]).sum(-1))
    weights = (torch.stack(columns, -1) * q.shape[-1] ** -0.5).softmax(-1)
    return weights @ v


# -- what is left at a distance --------------------------------------------------------------------


def similarity_of_sums(D: int, distance: int, n: int, generator: Any) -> float:
    """In chunks, with the query turned one way and the key the other, halfway each."""
    quotients = []
    for size in (n // 2, n - n // 2):
        x = torch.randn(size, D, generator=generator, dtype=torch.float64)
        angles = distance / 2 * 10000.0 ** (-torch.arange(0, D, 2).double() / D)
        pairs = torch.complex(*x.chunk(2, -1))
        q, k = pairs * torch.exp(1j * angles), pairs * torch.exp(-1j * angles)
        quotients.append((q * k.conj()).real.sum(-1) / pairs.abs().square().sum(-1))
    return torch.cat(quotients).mean().item()


def similarity_with_neighbours(D: int, distance: int, n: int, generator: Any) -> Any:
    x = torch.empty(n, D).normal_(generator=generator).double()
    angles = (distance * 10000.0 ** (-torch.arange(0, D, 2).double() / D)).repeat_interleave(2)
    other = torch.stack([-x[:, 1::2], x[:, 0::2]], -1).flatten(1)
    turned = x * angles.cos() + other * angles.sin()
    return F.cosine_similarity(turned, x, dim=-1).mean()


# -- penalties -------------------------------------------------------------------------------------


def bias_by_cumsum(H: int, T: int, S: int) -> Any:
    """Count the keys between a key and the query."""
    power = 1 << (H.bit_length() - 1)
    slopes = [2 ** (-8 * n / power) for n in range(1, power + 1)]
    slopes += [2 ** (-4 * n / power) for n in range(1, 2 * (H - power), 2)]
    readable = torch.ones(T, S).tril(S - T)
    between = readable.flip(-1).cumsum(-1).flip(-1) - readable
    return -torch.tensor(slopes)[:, None, None] * between


def bias_in_numpy(H: int, T: int, S: int) -> Any:
    power = 2 ** int(np.floor(np.log2(H)))
    first = np.exp2(-8.0 * np.arange(1, power + 1) / power)
    more = np.sqrt(first) * np.exp2(-4.0 * np.arange(power) / power)
    slopes = np.concatenate([first, more[: H - power]])
    steps = np.subtract.outer(np.arange(S - T, S), np.arange(S))
    return torch.from_numpy(np.multiply.outer(-slopes, np.maximum(steps, 0)))


def scores_by_baddbmm(query: Any, key: Any, slopes: Any) -> Any:
    (H, T, D), S = query.shape[-3:], key.shape[-2]
    bias = -slopes.to(query.dtype).view(H, 1, 1) * torch.arange(S - T, S).view(T, 1)
    bias = bias + slopes.to(query.dtype).view(H, 1, 1) * torch.arange(S)
    q, k = query.reshape(-1, T, D), key.reshape(-1, S, D)
    whole = bias.expand(*query.shape[:-3], H, T, S).reshape(-1, T, S)
    return torch.baddbmm(whole, q, k.mT, alpha=D**-0.5).reshape(*query.shape[:-1], S)


def scores_with_a_mask(query: Any, key: Any, slopes: Any) -> Any:
    T, S = query.shape[-2], key.shape[-2]
    behind = (torch.arange(S - T, S)[:, None] - torch.arange(S)).to(query.dtype)
    scores = torch.einsum("...htd,...hsd->...hts", query, key) / math.sqrt(query.shape[-1])
    penalised = scores - torch.einsum("h,ts->hts", slopes.to(query.dtype), behind.clamp(min=0))
    return penalised.masked_fill(behind < 0, -torch.inf)


# -- stretching ------------------------------------------------------------------------------------


def _ends(D: int, base: float, context: float, alpha: float, beta: float) -> Any:
    def index(turns: float) -> float:
        return D * math.log(context / (math.tau * turns), base) / 2

    return max(index(beta), 0), min(index(alpha), D - 1)


def yarn_in_float32(D: int, base: float, context: int, factor: float, alpha: float, beta: float):
    """As gpt-oss writes it, in float32."""
    freq = base ** (torch.arange(0, D, 2, dtype=torch.float) / D)
    low, high = _ends(D, base, context, alpha, beta)
    ramp = (torch.arange(D // 2, dtype=torch.float32) - low) / (high - low)
    mask = 1 - ramp.clamp(0, 1)
    inv_freq = 1.0 / (factor * freq) * (1 - mask) + 1.0 / freq * mask
    return inv_freq, 0.1 * math.log(factor) + 1.0


def yarn_by_lerp(D: int, base: float, context: int, factor: float, alpha: float, beta: float):
    low, high = _ends(D, base, context, alpha, beta)
    theta = torch.logspace(0, -(D - 2) / D, D // 2, base=base, dtype=torch.float64)
    ramp = torch.linspace(-low, D // 2 - 1 - low, D // 2, dtype=torch.float64) / (high - low)
    return torch.lerp(theta, theta / factor, ramp.clip(0, 1)), np.float64(1 + 0.1 * np.log(factor))


def yarn_by_cases(D: int, base: float, context: int, factor: float, alpha: float, beta: float):
    low, high = _ends(D, base, context, alpha, beta)
    found = []
    for i in range(D // 2):
        theta = math.exp(-2 * i / D * math.log(base))
        if i <= low:
            found.append(theta)
        elif i >= high:
            found.append(theta / factor)
        else:
            found.append(theta * ((high - i) + (i - low) / factor) / (high - low))
    return torch.tensor(found, dtype=torch.float64), torch.tensor(1 + math.log(factor**0.1))


def yarn_by_quotients(D: int, base: float, context: int, factor: float, alpha: float, beta: float):
    """The share that is left of each frequency."""
    low, high = _ends(D, base, context, alpha, beta)
    ramp = F.hardtanh((torch.arange(D / 2).double() - low) / (high - low), 0.0, 1.0)
    theta = torch.pow(torch.tensor(base).double(), -torch.arange(0, D, 2) / torch.tensor(D))
    return theta * (1 - ramp * (1 - 1 / factor)), math.fsum([1.0, 0.1 * math.log(factor)])


def yarn_by_steps(D: int, base: float, context: int, factor: float, alpha: float, beta: float):
    """Each frequency from the one before it."""
    low, high = _ends(D, base, context, alpha, beta)
    ratio = base ** (-2 / D)
    theta = [reduce(lambda one, _: one * ratio, range(i), 1.0) for i in range(D // 2)]
    kept = [min(max((high - i) / (high - low), 0.0), 1.0) for i in range(D // 2)]
    mixed = [t * k + t / factor * (1 - k) for t, k in zip(theta, kept, strict=True)]
    return torch.stack([torch.tensor(one) for one in mixed]), 1.0 + math.log10(factor) / (
        10 * math.log10(math.e)
    )


def yarn_in_turns_of_the_index(
    D: int, base: float, context: int, factor: float, alpha: float, beta: float
):
    """Measure the ramp by the logarithm of the turns: that is straight in the index."""
    theta = base ** (-torch.arange(D // 2).double() * 2 / D)
    turns = context * theta / math.tau
    most = min(beta, context / math.tau)
    fewest = max(alpha, context / math.tau * base ** (-2 * (D - 1) / D))
    ramp = (math.log(most) - turns.log()) / (math.log(most) - math.log(fewest))
    return torch.where(ramp < 0, theta, torch.where(ramp > 1, theta / factor,
           theta + ramp * (theta / factor - theta))), 0.1 * math.log(factor) + 1  # fmt: skip


def stretched_scores_by_matrices(
    query: Any, key: Any, positions: Any, inv_freq: Any, concentration: float
) -> Any:
    """One matrix for each two positions, between query and key."""
    apart = (positions - positions[:, None])[..., None] * inv_freq.double()  # s − t
    c, s = torch.diag_embed(apart.cos()), torch.diag_embed(apart.sin())
    turns = torch.cat([torch.cat([c, -s], -1), torch.cat([s, c], -1)], -2).to(query.dtype)
    turned = torch.einsum("tsij,...sj->...tsi", turns, key)
    return concentration**2 * (query[..., None, :] * turned).sum(-1) / query.shape[-1] ** 0.5


def stretched_scores_longer_by_the_root(
    query: Any, key: Any, positions: Any, inv_freq: Any, concentration: float
) -> Any:
    """Put the root into the lengths of both, together with the concentration."""
    factor = concentration / query.shape[-1] ** 0.25
    angles = torch.outer(positions.double(), inv_freq.double())
    c, s = (factor * angles.cos()).to(query.dtype), (factor * angles.sin()).to(query.dtype)
    (a, b), (d, e) = query.chunk(2, -1), key.chunk(2, -1)
    q = torch.cat([a * c - b * s, b * c + a * s], -1)
    k = torch.cat([d * c - e * s, e * c + d * s], -1)
    return torch.einsum("...td,...sd->...ts", q, k)
