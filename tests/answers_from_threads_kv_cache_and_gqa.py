"""Answers on caches, shared heads, latent vectors and drafts: got wrong in public, and odd ones.

What people got wrong is written again, in code of our own; no line of a thread stands here.
"""

import math
from typing import Any

import torch
from torch.nn import functional as F


def turn(rows: Any, positions: Any, base: float = 10000.0) -> Any:
    """Rotate halves, as the notebook's given cell does."""
    half = rows.shape[-1] // 2
    wide = torch.promote_types(rows.dtype, torch.float32)
    angles = positions.double()[:, None] * base ** -(torch.arange(half).double() / half)
    cos, sin = angles.cos().to(wide), angles.sin().to(wide)
    a, b = rows.to(wide).chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1).to(rows.dtype)


def norm(rows: Any, g: Any, eps: float) -> Any:
    wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
    return (wide * (wide.square().mean(-1, keepdim=True) + eps).rsqrt() * g).to(rows.dtype)


# -- a cache ---------------------------------------------------------------------------------------


def past(T: int, P: int) -> Any:
    """What new tokens may read: all that is cached, and each other up to themselves."""
    return torch.ones(T, P + T, dtype=torch.bool).tril(P)


def cached(
    *, may: Any = past, query_from: Any = lambda P: P, key_from: Any = lambda P: P,
    join: Any = lambda old, new: torch.cat([old, new], 2), old: Any = lambda key, base: key,
    keep: Any = lambda key, key_cache, key_new: key,
) -> Any:  # fmt: skip
    """Return attention with a cache that does some of it in a way of its own."""

    def attend_with_cache(
        query: Any, key_new: Any, value_new: Any, key_cache: Any, value_cache: Any,
        base: float = 10000.0,
    ) -> Any:  # fmt: skip
        P, T = key_cache.shape[2], query.shape[2]
        steps = torch.arange(T)
        q = turn(query, query_from(P) + steps, base)
        k = turn(key_new, key_from(P) + steps, base)
        key, value = join(old(key_cache, base), k), join(value_cache, value_new)
        scores = (q @ key.mT / query.shape[-1] ** 0.5).masked_fill(~may(T, P), -1e30)
        return scores.softmax(-1) @ value, keep(key, key_cache, key_new), value

    return attend_with_cache


def square(T: int, P: int) -> Any:
    return torch.ones(T, T, dtype=torch.bool).tril()


def turned_again(key: Any, base: float) -> Any:
    return turn(key, torch.arange(key.shape[2]), base)


upper_left = cached(may=lambda T, P: torch.ones(T, P + T, dtype=torch.bool).tril())
no_mask_beside_a_cache = cached(may=lambda T, P: torch.ones(T, P + T, dtype=torch.bool))
masked_only_where_square = cached(
    may=lambda T, P: square(T, P) if P == 0 else torch.ones(T, P + T, dtype=torch.bool)
)
a_square_mask = cached(may=square)
the_whole_again_masked_square = cached(
    may=lambda T, P: square(T, P) if T > 1 else torch.ones(T, P + T, dtype=torch.bool)
)
counts_from_zero = cached(query_from=lambda P: 0, key_from=lambda P: 0)
queries_count_from_zero = cached(query_from=lambda P: 0)
counts_itself_already = cached(query_from=lambda P: P + 1, key_from=lambda P: P + 1)
counts_the_prompt_twice = cached(query_from=lambda P: 2 * P, key_from=lambda P: 2 * P)
turns_cached_keys_again = cached(old=turned_again)
joins_examples = cached(join=lambda old, new: torch.cat([old, new], 0))
keeps_unturned_and_turns_all = cached(
    old=turned_again, keep=lambda key, key_cache, key_new: torch.cat([key_cache, key_new], 2)
)

# -- shared heads ----------------------------------------------------------------------------------


def sharing(pick: Any, give: Any = lambda output, G: output) -> Any:
    """Return grouped attention whose head h reads the key head that a function says."""

    def grouped_query_attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        H, G = query.shape[1], key.shape[1]
        heads = [pick(h, H, G) for h in range(H)]
        output = F.scaled_dot_product_attention(
            query, key[:, heads], value[:, heads], attn_mask=may_attend
        )
        return give(output, G)

    return grouped_query_attention


tiled = sharing(lambda h, H, G: h % G)
divided_by_the_key_heads = sharing(lambda h, H, G: h // G)
one_for_all = sharing(lambda h, H, G: 0)
collides = sharing(lambda h, H, G: min((h % (H // G)) * (H // G) + h // (H // G), G - 1))
heads_come_back_by_turns = sharing(
    lambda h, H, G: h // (H // G),
    give=lambda output, G: output.unflatten(1, (G, -1)).transpose(1, 2).flatten(1, 2),
)


def repeated_by_tile(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    R = query.shape[1] // key.shape[1]
    key, value = (torch.cat([one] * R, dim=1) for one in (key, value))
    return F.scaled_dot_product_attention(query, key, value, attn_mask=may_attend)


def repeated_along_positions(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    R = query.shape[1] // key.shape[1]
    key, value = (one.repeat_interleave(R, dim=2) for one in (key, value))
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if may_attend is not None:
        scores = scores.masked_fill(~may_attend, -1e30)
    return scores.softmax(-1) @ value


def rows_grouped_in_place_of_columns(w_k: Any, G: int, H: int) -> Any:
    C = w_k.shape[0]
    return w_k.reshape(G, H // G, -1, C).mean(1).reshape(-1, C)


def summed_by_index(w_k: Any, G: int, H: int) -> Any:
    D = w_k.shape[1] // H
    pooled = w_k.new_zeros(w_k.shape[0], G, D)
    for h, head in enumerate(w_k.split(D, 1)):
        pooled = pooled.index_add(1, torch.tensor([h // (H // G)]), head[:, None])
    return pooled.flatten(1)


# -- bytes -----------------------------------------------------------------------------------------


def windows_left_out(
    layers: int, G: int, D: int, T: int, bytes: int, windows: Any = None
) -> int:  # fmt: skip
    full = [one for one in windows or [None] * layers if one is None]
    return 2 * len(full) * G * D * T * bytes


def windows_not_known(
    layers: int, G: int, D: int, T: int, bytes: int, windows: Any = None
) -> int:  # fmt: skip
    return layers * 2 * G * D * T * bytes


def heads_forgotten(
    layers: int, G: int, D: int, T: int, bytes: int, windows: Any = None
) -> int:  # fmt: skip
    kept = [T if one is None else min(one, T) for one in windows or [None] * layers]
    return sum(2 * D * bytes * one for one in kept)


def heads_twice_at_four_bits(
    layers: int, G: int, D: int, T: int, bytes: int, windows: Any = None
) -> int:  # fmt: skip
    return 2 * layers * G * (G * D) * 4 * T // 8


# -- latent vectors --------------------------------------------------------------------------------


def latent_attention(
    *, scale: Any = lambda D, Dr, Dc, C, H: (D + Dr) ** -0.5, rotate: Any = turn,
    content: Any = lambda rows, at, base: rows, latent_of: Any = norm,
    latent_at: Any = lambda latent, at, base: latent, causal: bool = True,
) -> Any:  # fmt: skip
    """Return latent attention that does some of it in a way of its own."""

    def mla_attention(
        x: Any, w_q: Any, w_qr: Any, w_dkv: Any, g_kv: Any, w_kr: Any, w_uk: Any, w_uv: Any,
        w_o: Any, H: int, base: float = 10000.0, eps: float = 1e-6,
    ) -> Any:  # fmt: skip
        at = torch.arange(x.shape[1])

        def heads(rows: Any) -> Any:
            return rows.unflatten(-1, (H, -1)).transpose(1, 2)

        latent = latent_at(latent_of(x @ w_dkv, g_kv, eps), at, base)
        q_r = rotate(heads(x @ w_qr), at, base)
        k_r = rotate(x @ w_kr, at, base)
        q, k = (content(heads(rows), at, base) for rows in (x @ w_q, latent @ w_uk))
        scores = q @ k.mT + q_r @ k_r[:, None].mT
        sizes = q.shape[-1], q_r.shape[-1], latent.shape[-1], x.shape[-1], H
        scores = scores * scale(*sizes)
        if causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -1e30)
        found = scores.softmax(-1) @ heads(latent @ w_uv)
        return found.transpose(1, 2).flatten(2) @ w_o

    return mla_attention


def turn_neighbours(rows: Any, at: Any, base: float) -> Any:
    half = rows.shape[-1] // 2
    mixed = torch.cat([rows[..., 0::2], rows[..., 1::2]], -1)
    found = turn(mixed, at, base)
    return torch.stack([found[..., :half], found[..., half:]], -1).flatten(-2)


scaled_by_what_is_kept = latent_attention(scale=lambda D, Dr, Dc, C, H: (Dc + Dr) ** -0.5)
scaled_by_the_absorbed_size = latent_attention(scale=lambda D, Dr, Dc, C, H: 1 / math.sqrt(Dc + Dr))


def turn_by_heads(rows: Any, at: Any, base: float) -> Any:
    """Take the axis of heads for that of the positions; the shared key has one, at 0."""
    if rows.ndim == 3:
        return rows
    return turn(rows.transpose(1, 2), torch.arange(rows.shape[1]), base).transpose(1, 2)


turned_along_heads = latent_attention(rotate=turn_by_heads)
scaled_by_the_content = latent_attention(scale=lambda D, Dr, Dc, C, H: D**-0.5)
multiplied_by_the_root = latent_attention(scale=lambda D, Dr, Dc, C, H: (D + Dr) ** 0.5)
scaled_by_a_share_of_the_width = latent_attention(scale=lambda D, Dr, Dc, C, H: (C / H) ** -0.5)
scaled_by_nothing = latent_attention(scale=lambda D, Dr, Dc, C, H: 1.0)
neighbours_turned = latent_attention(rotate=turn_neighbours)
reads_what_comes_later = latent_attention(causal=False)
everything_turned = latent_attention(content=turn)
latent_turned = latent_attention(latent_at=turn)
latent_not_normed = latent_attention(latent_of=lambda rows, g, eps: rows)


def normed_behind_the_matrix(*given: Any) -> Any:
    """Normalise keys and values in the place of the latent vector."""
    return latent_attention(
        latent_of=lambda rows, g, eps: rows * g,
        content=lambda rows, at, base: norm(rows, torch.ones((), dtype=rows.dtype), 1e-6),
    )(*given)


# -- drafts ----------------------------------------------------------------------------------------


def first_above(probs: Any, u: float) -> int:
    return min(int((probs.cumsum(0) <= u).sum()), len(probs) - 1)


def drafted(
    *, chance: Any = lambda p, q, token, i: p[token] / q[token],
    rest: Any = lambda p, q, token: (p - q).clamp(min=0), number: Any = lambda u, i: u[-1],
    bonus: bool = True,
) -> Any:  # fmt: skip
    """Return a rule for drafts that does some of it in a way of its own."""

    def accept_draft(draft_probs: Any, target_probs: Any, draft: Any, uniform: Any) -> list[int]:
        kept: list[int] = []
        for i, token in enumerate(draft.tolist()):
            p, q = target_probs[i], draft_probs[i]
            if uniform[i] < chance(p, q, token, i):
                kept.append(token)
                continue
            left = rest(p, q, token)
            return [*kept, first_above(left / left.sum(), float(number(uniform, i)))]
        return [*kept, first_above(target_probs[-1], float(uniform[-1]))] if bonus else kept

    return accept_draft


def only_the_refused_taken_out(p: Any, q: Any, token: int) -> Any:
    return torch.where(torch.arange(len(p)) == token, 0.0, p)


refused_element_alone = drafted(rest=only_the_refused_taken_out)
draft_not_asked = drafted(
    chance=lambda p, q, token, i: p[token], rest=lambda p, q, token: p
)  # fmt: skip
one_number_for_both = drafted(number=lambda u, i: u[i])
no_token_behind_a_whole_draft = drafted(bonus=False)
first_token_not_checked = drafted(
    chance=lambda p, q, token, i: 2.0 if i == 0 else p[token] / q[token]
)
over_the_targets_largest = drafted(chance=lambda p, q, token, i: q[token] / p.max())
replaced_from_the_target = drafted(rest=lambda p, q, token: p)


def equal_to_a_draw(draft_probs: Any, target_probs: Any, draft: Any, uniform: Any) -> list[int]:
    """Draw from the target in each place, and keep what is the same."""
    kept: list[int] = []
    for i, token in enumerate(draft.tolist()):
        kept.append(first_above(target_probs[i], float(uniform[i])))
        if kept[-1] != token:
            return kept
    return [*kept, first_above(target_probs[-1], float(uniform[-1]))]


def zeroed_in_place(draft_probs: Any, target_probs: Any, draft: Any, uniform: Any) -> list[int]:
    """Right tokens, but the refused one's probability is set to 0 where it lies."""
    found: list[int] = drafted()(draft_probs, target_probs.clone(), draft, uniform)
    place = len(found) - 1
    if place < len(draft):
        target_probs[place, draft[place]] = 0.0
    return found


def _two(V: int, apart: float, trials: int, generator: Any) -> Any:
    z = torch.randn(trials, V, generator=generator)
    return z.softmax(-1), (z + apart * torch.randn(trials, V, generator=generator)).softmax(-1)


def matched_exactly(V: int, apart: float, trials: int, generator: Any) -> float:
    p, q = _two(V, apart, trials, generator)
    return float(torch.einsum("tv,tv->t", p, q).mean())


def matched_greedily(V: int, apart: float, trials: int, generator: Any) -> float:
    p, q = _two(V, apart, trials, generator)
    return float((p.topk(1).indices == q.topk(1).indices).float().mean())


# -- right ones, in styles that few write ----------------------------------------------------------


def _turns(positions: Any, half: int, base: float) -> Any:
    angles = positions.double()[:, None] * base ** -(torch.arange(half).double() / half)
    return torch.polar(torch.ones_like(angles), angles)


def _complex(rows: Any) -> Any:
    return torch.complex(*rows.double().chunk(2, -1))


def cache_of_distances(
    query: Any, key_new: Any, value_new: Any, key_cache: Any, value_cache: Any,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    """Score by complex products: the real part of q times the conjugate of k."""
    P, T, half = key_cache.shape[2], query.shape[2], query.shape[3] // 2
    at = torch.arange(P, P + T)
    q, k = (_complex(rows) * _turns(at, half, base) for rows in (query, key_new))
    new = torch.cat([k.real, k.imag], -1).to(query.dtype)
    keys = torch.cat([_complex(key_cache), k], 2)
    scores = (q @ keys.mT.conj()).real / query.shape[3] ** 0.5
    weights = scores.masked_fill(~past(T, P), -torch.inf).softmax(-1).to(query.dtype)
    value = torch.cat([value_cache, value_new], 2)
    return weights @ value, torch.cat([key_cache, new], 2), value


def cache_with_room(
    query: Any, key_new: Any, value_new: Any, key_cache: Any, value_cache: Any,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    """Pad what is kept and add the new rows into the room."""
    P, T = key_cache.shape[2], query.shape[2]
    at = torch.arange(P, P + T)
    key, value = (
        F.pad(old, (0, 0, 0, T)) + F.pad(new, (0, 0, P, 0))
        for old, new in ((key_cache, turn(key_new, at, base)), (value_cache, value_new))
    )
    bias = torch.zeros(T, P + T, dtype=query.dtype).masked_fill(~past(T, P), -torch.inf)
    output = F.scaled_dot_product_attention(turn(query, at, base), key, value, attn_mask=bias)
    return output, key, value


def cache_by_lower_right(
    query: Any, key_new: Any, value_new: Any, key_cache: Any, value_cache: Any,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    """Use PyTorch's own mask that is aligned at the lower right."""
    from torch.nn.attention.bias import causal_lower_right

    P, T = key_cache.shape[2], query.shape[2]
    at = P + torch.arange(T)
    key = torch.cat([key_cache, turn(key_new, at, base)], -2)
    value = torch.cat([value_cache, value_new], -2)
    bias = causal_lower_right(T, P + T)
    q = turn(query, at, base)
    return F.scaled_dot_product_attention(q, key, value, attn_mask=bias), key, value


def cache_as_a_whole_triangle(
    query: Any, key_new: Any, value_new: Any, key_cache: Any, value_cache: Any,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    """Put rows of zeros before the queries, so that is_causal fits, and cut them off again."""
    P, T = key_cache.shape[2], query.shape[2]
    at = torch.arange(P + T)[P:]
    key = torch.cat([key_cache, turn(key_new, at, base)], 2)
    value = torch.cat([value_cache, value_new], 2)
    rows = F.pad(turn(query, at, base), (0, 0, P, 0))
    return F.scaled_dot_product_attention(rows, key, value, is_causal=True)[:, :, P:], key, value


def cache_by_online_softmax(
    query: Any, key_new: Any, value_new: Any, key_cache: Any, value_cache: Any,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    """Take one key after the other, with a running maximum and sum."""
    P, T = key_cache.shape[2], query.shape[2]
    at = torch.arange(P, P + T)
    key = torch.cat([key_cache, turn(key_new, at, base)], 2)
    value = torch.cat([value_cache, value_new], 2)
    q = turn(query, at, base) / query.shape[3] ** 0.5
    top = torch.full_like(query[..., :1], -1e30)
    total, mixed = torch.zeros_like(top), 0 * value[:, :, :1].expand(-1, -1, T, -1)
    for s in range(P + T):
        score = (q * key[:, :, s : s + 1]).sum(-1, keepdim=True)
        score = torch.where((at >= s)[:, None], score, -1e30)
        higher = torch.maximum(top, score)
        power = torch.where((at >= s)[:, None], (score - higher).exp(), 0.0)
        shrink = (top - higher).exp()
        total = total * shrink + power
        mixed = mixed * shrink + power * value[:, :, s : s + 1]
        top = higher
    return mixed / total, key, value


def cache_by_vmap(
    query: Any, key_new: Any, value_new: Any, key_cache: Any, value_cache: Any,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    """Attend with one head, and map that over examples and heads."""
    P, T, D = key_cache.shape[2], query.shape[2], query.shape[3]
    at = torch.arange(P, P + T)
    may = at[:, None] >= torch.arange(P + T)

    def one(q: Any, k: Any, v: Any, keys: Any, values: Any) -> Any:
        keys = torch.cat([keys, turn(k, at, base)])
        values = torch.cat([values, v])
        scores = torch.where(may, turn(q, at, base) @ keys.T / math.sqrt(D), -torch.inf)
        return torch.softmax(scores, 1) @ values, keys, values

    mapped = torch.func.vmap(torch.func.vmap(one))
    return mapped(query, key_new, value_new, key_cache, value_cache)


def grouped_by_queries_in_a_row(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    """Let the queries of a group stand behind each other, as R · T rows of one head."""
    B, H, T, D = query.shape
    G, S = key.shape[1:3]
    rows = query.reshape(B, G, -1, D)
    may = None
    if may_attend is not None:
        may = may_attend.expand(B, H, T, S).reshape(B, G, -1, S)
    return F.scaled_dot_product_attention(rows, key, value, attn_mask=may).reshape(B, H, T, -1)


def grouped_by_an_index(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    H, G = query.shape[1], key.shape[1]
    heads = torch.arange(H) * G // H
    return F.scaled_dot_product_attention(
        query, key.index_select(1, heads), value.index_select(1, heads), attn_mask=may_attend
    )


def grouped_by_expanding(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    """Expand an axis behind the groups, and join the two, as released models do."""
    R = query.shape[1] // key.shape[1]
    key, value = (one[:, :, None].expand(-1, -1, R, -1, -1).flatten(1, 2) for one in (key, value))
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if may_attend is None:
        return scores.softmax(-1) @ value
    powers = (scores - scores.amax(-1, keepdim=True)).exp() * may_attend
    total = powers.sum(-1, keepdim=True)
    return powers / torch.where(total == 0, torch.ones_like(total), total) @ value


def grouped_group_by_group(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    B, H, T, _ = query.shape
    G, S = key.shape[1:3]
    may = torch.ones((), dtype=torch.bool) if may_attend is None else may_attend
    may = may.expand(B, H, T, S).chunk(G, 1)
    parts = [
        F.scaled_dot_product_attention(
            q, key[:, g : g + 1].expand(-1, H // G, -1, -1),
            value[:, g : g + 1].expand(-1, H // G, -1, -1), attn_mask=may[g],
        )
        for g, q in enumerate(query.chunk(G, 1))
    ]  # fmt: skip
    return torch.cat(parts, 1)


def grouped_by_kron(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    """Spread the key heads by a matrix of zeros and ones."""
    H, G = query.shape[1], key.shape[1]
    spread = torch.kron(torch.eye(G), torch.ones(H // G, 1)).to(key.dtype)
    k, v = (torch.einsum("hg,bgsd->bhsd", spread, one) for one in (key, value))
    return F.scaled_dot_product_attention(query, k, v, attn_mask=may_attend)


def grouped_by_logarithms(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    B, H, T, D = query.shape
    G, S = key.shape[1:3]
    q = query.view(B, G, -1, T, D)
    scores = torch.einsum("bgrtd,bgsd->bgrts", q, key) * D**-0.5
    if may_attend is not None:
        may = may_attend.expand(B, H, T, S).reshape(scores.shape)
        scores = torch.where(may, scores, torch.finfo(scores.dtype).min / 2)
        weights = (scores - scores.logsumexp(-1, keepdim=True)).exp()
        weights = weights * may.any(-1, keepdim=True)
    else:
        weights = (scores - scores.logsumexp(-1, keepdim=True)).exp()
    return torch.einsum("bgrts,bgsd->bgrtd", weights, value).reshape(B, H, T, -1)


def pooled_by_a_window(w_k: Any, G: int, H: int) -> Any:
    """Average with a pooling layer whose windows step over the heads."""
    R, D = H // G, w_k.shape[1] // H
    entries = w_k.view(-1, H, D).transpose(1, 2)  # C D H
    return F.avg_pool1d(entries, R).transpose(1, 2).flatten(1)


def pooled_by_halves(w_k: Any, G: int, H: int) -> Any:
    """Add the heads of each place in their groups, and divide."""
    D = w_k.shape[1] // H
    heads = torch.stack(w_k.split(D, 1))  # H C D
    total = sum((heads[r :: H // G] for r in range(H // G)), 0 * heads[:G])
    return torch.cat(list(total / (H // G)), 1)


def bytes_token_by_token(
    layers: int, G: int, D: int, T: int, bytes: int, windows: Any = None
) -> int:  # fmt: skip
    reach = windows if windows is not None else (None,) * layers
    rows = 0
    for window in reach:
        rows += len(range(T)[-window:]) if window is not None else T
    return rows * len(("key", "value")) * bytes * D * G


def bytes_by_sorting(
    layers: int, G: int, D: int, T: int, bytes: int, windows: Any = None
) -> int:  # fmt: skip
    each = [sorted((T, T if one is None else one))[0] for one in windows or [T] * layers]
    return int(torch.tensor(each, dtype=torch.int64).sum()) * (G * D * bytes << 1)


def latent_as_one_query(
    x: Any, w_q: Any, w_qr: Any, w_dkv: Any, g_kv: Any, w_kr: Any, w_uk: Any, w_uv: Any, w_o: Any,
    H: int, base: float = 10000.0, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Absorb both matrices: one key of Dc + Dr numbers for all heads, and einsum throughout."""
    C, T = x.shape[-1], x.shape[1]
    at, Dc = torch.arange(T), w_dkv.shape[1]
    uk, uv = (w.view(Dc, H, -1) for w in (w_uk, w_uv))
    down = torch.einsum("chd,lhd->chl", w_q.view(C, H, -1), uk)
    up = torch.einsum("lhd,hdo->lho", uv, w_o.view(H, uv.shape[2], -1))
    latent = norm(x @ w_dkv, g_kv, eps)
    q_r = turn((x @ w_qr).unflatten(-1, (H, -1)).transpose(1, 2), at, base)
    query = torch.cat([torch.einsum("btc,chl->bhtl", x, down), q_r], -1)
    key = torch.cat([latent, turn(x @ w_kr, at, base)], -1)
    size = w_q.shape[1] // H + q_r.shape[-1]
    scores = torch.einsum("bhtl,bsl->bhts", query, key) / size**0.5
    weights = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf).softmax(-1)
    return torch.einsum("bhts,bsl,lho->bto", weights, latent, up)


def latent_head_after_head(
    x: Any, w_q: Any, w_qr: Any, w_dkv: Any, g_kv: Any, w_kr: Any, w_uk: Any, w_uv: Any, w_o: Any,
    H: int, base: float = 10000.0, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Let every head add what it writes."""
    at = torch.arange(x.shape[1])
    latent, shared = norm(x @ w_dkv, g_kv, eps), turn(x @ w_kr, at, base)
    total = torch.zeros_like(x)
    for q, r, k, v, o in zip(
        *(w.chunk(H, 1) for w in (w_q, w_qr, w_uk, w_uv)), w_o.chunk(H, 0), strict=True
    ):
        query = torch.cat([turn(x @ r, at, base), x @ q], -1)
        key = torch.cat([shared, latent @ k], -1)
        total = total + F.scaled_dot_product_attention(query, key, latent @ v, is_causal=True) @ o
    return total


def latent_as_grouped(
    x: Any, w_q: Any, w_qr: Any, w_dkv: Any, g_kv: Any, w_kr: Any, w_uk: Any, w_uv: Any, w_o: Any,
    H: int, base: float = 10000.0, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Multi-query attention over what is kept: PyTorch groups the heads."""
    B, T, _ = x.shape
    at, Dc = torch.arange(T), len(g_kv)
    latent = norm(x @ w_dkv, g_kv, eps)
    q, r = ((x @ w).view(B, T, H, -1).transpose(1, 2) for w in (w_q, w_qr))
    asked = q @ w_uk.view(Dc, H, -1).permute(1, 2, 0)
    query = torch.cat([asked, turn(r, at, base)], -1)
    key = torch.cat([latent, turn(x @ w_kr, at, base)], -1)[:, None]
    found = F.scaled_dot_product_attention(
        query, key, latent[:, None], is_causal=True, enable_gqa=True,
        scale=(q.shape[-1] + r.shape[-1]) ** -0.5,
    )  # fmt: skip
    values = found @ w_uv.view(Dc, H, -1).transpose(0, 1)
    return values.transpose(1, 2).flatten(2) @ w_o


def latent_with_scaled_queries(
    x: Any, w_q: Any, w_qr: Any, w_dkv: Any, g_kv: Any, w_kr: Any, w_uk: Any, w_uv: Any, w_o: Any,
    H: int, base: float = 10000.0, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Scale the matrices instead of the scores, and fold the gains into what stands behind."""
    T = x.shape[1]
    at = torch.arange(T)

    def heads(rows: Any) -> Any:
        return torch.stack(rows.chunk(H, -1), 1)

    factor = (w_q.shape[1] // H + w_kr.shape[1]) ** -0.25
    bare = norm(x @ w_dkv, torch.ones_like(g_kv), eps)
    q, r = heads(x @ (factor * w_q)), turn(heads(x @ (factor * w_qr)), at, base)
    k = heads(bare @ (factor * g_kv[:, None] * w_uk))
    places = turn(x @ (factor * w_kr), at, base).unsqueeze(1)
    scores = q @ k.transpose(-1, -2) + r @ places.transpose(-1, -2)
    scores = scores + torch.full((T, T), -torch.inf, dtype=x.dtype).triu(1)
    found = scores.softmax(-1) @ heads(bare @ (g_kv[:, None] * w_uv))
    return torch.cat(found.unbind(1), -1) @ w_o


def latent_token_by_token(
    x: Any, w_q: Any, w_qr: Any, w_dkv: Any, g_kv: Any, w_kr: Any, w_uk: Any, w_uv: Any, w_o: Any,
    H: int, base: float = 10000.0, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Decode: keep a latent vector and a rotary key, and let one token ask at a time."""
    latents, places, rows = [], [], []
    for t in range(x.shape[1]):
        new, at = x[:, t : t + 1], torch.tensor([t])
        latents.append(norm(new @ w_dkv, g_kv, eps))
        places.append(turn(new @ w_kr, at, base))
        latent, place = torch.cat(latents, 1), torch.cat(places, 1)
        q, r, k, v = (
            one.unflatten(-1, (H, -1)).transpose(1, 2)
            for one in (new @ w_q, new @ w_qr, latent @ w_uk, latent @ w_uv)
        )
        scores = q @ k.mT + turn(r, at, base) @ place[:, None].mT
        weights = (scores / (q.shape[-1] + r.shape[-1]) ** 0.5).softmax(-1)
        rows.append((weights @ v).transpose(1, 2).flatten(2) @ w_o)
    return torch.cat(rows, 1)


def latent_by_distances(
    x: Any, w_q: Any, w_qr: Any, w_dkv: Any, g_kv: Any, w_kr: Any, w_uk: Any, w_uv: Any, w_o: Any,
    H: int, base: float = 10000.0, eps: float = 1e-6,
) -> Any:  # fmt: skip
    """Turn nothing: the rotary products are taken by the distance of two positions."""
    T, half = x.shape[1], w_kr.shape[1] // 2

    def heads(rows: Any) -> Any:
        return rows.unflatten(-1, (H, -1)).transpose(1, 2)

    latent = norm(x @ w_dkv, g_kv, eps)
    apart = torch.arange(T).double()[:, None] - torch.arange(T)
    turns = torch.exp(1j * apart[..., None] * base ** -(torch.arange(half).double() / half))
    q_r, k_r = _complex(heads(x @ w_qr)), _complex(x @ w_kr)
    near = torch.einsum("bhti,bsi,tsi->bhts", q_r, k_r.conj(), turns).real.to(x.dtype)
    q, k = heads(x @ w_q), heads(latent @ w_uk)
    scores = (q @ k.mT + near) / math.sqrt(q.shape[-1] + 2 * half)
    weights = scores.masked_fill(apart < 0, -torch.inf).softmax(-1)
    return (weights @ heads(latent @ w_uv)).transpose(1, 2).flatten(2) @ w_o


def draft_by_minimum(draft_probs: Any, target_probs: Any, draft: Any, uniform: Any) -> list[int]:
    """Compare products, and subtract the smaller of both from the target."""
    kept = 0
    for token, p, q, u in zip(draft, target_probs, draft_probs, uniform, strict=False):
        if not u * q[token] < p[token]:
            break
        kept += 1
    p = target_probs[kept]
    rest = p - torch.minimum(p, draft_probs[kept]) if kept < len(draft) else p
    token = int(torch.argmax((rest.cumsum(0) > uniform[-1] * rest.sum()).int()))
    return [*(int(one) for one in draft[:kept]), token]


def draft_by_recursion(draft_probs: Any, target_probs: Any, draft: Any, uniform: Any) -> list[int]:
    if not len(draft):
        return [first_above(target_probs[0], float(uniform[-1]))]
    p, q, token = target_probs[0], draft_probs[0], int(draft[0])
    if float(uniform[0]) * float(q[token]) >= float(p[token]):
        rest = (p - q).relu()
        return [first_above(rest / rest.sum(), float(uniform[-1]))]
    behind = draft_by_recursion(draft_probs[1:], target_probs[1:], draft[1:], uniform[1:])
    return [token, *behind]


def share_by_ratios(V: int, apart: float, trials: int, generator: Any) -> float:
    """Weigh each ratio, at most 1, by the draft; in logarithms."""
    z = torch.randn(trials, V, generator=generator)
    log_p = z.log_softmax(1)
    log_q = (z + apart * torch.randn(trials, V, generator=generator)).log_softmax(1)
    return float((log_q + (log_p - log_q).clamp(max=0)).exp().sum() / trials)


def share_by_what_is_left(V: int, apart: float, trials: int, generator: Any) -> float:
    """Take from 1 what a replacement would be drawn from, in two pieces of the trials."""
    total = 0.0
    for size in (trials // 2, trials - trials // 2):
        z = torch.randn(size, V, generator=generator, dtype=torch.float64)
        e = torch.randn(V, size, generator=generator, dtype=torch.float64).T
        total += float((1 - (z.softmax(1) - (z + e * apart).softmax(1)).relu().sum(1)).sum())
    return total / trials
