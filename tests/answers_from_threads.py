"""Wrong answers, made anew in code of our own from what public threads describe.

Each is written as a learner would write it after that mistake. Which thread, and what the check has
to say, stands in the table of `test_answers_from_threads.py`.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

TINY = torch.finfo(torch.float64).min

# -- softmax ---------------------------------------------------------------------------------------


def one_maximum_in_place(x: Any, axis: int = -1) -> Any:
    x -= x.max()
    x.exp_()
    x /= x.sum()
    return x


def in_place_along_the_axis(x: Any, axis: int = -1) -> Any:
    x.sub_(x.amax(axis, keepdim=True)).exp_()
    return x.div_(x.sum(axis, keepdim=True))


def infinities_share(x: Any, axis: int = -1) -> Any:
    powers = x.exp()
    full = powers.isinf()
    shared = full / full.sum(axis, keepdim=True).clamp(min=1)
    plain = powers / (powers.sum(axis, keepdim=True) + 1e-9)
    return torch.where(full.any(axis, keepdim=True), shared.to(x.dtype), plain)


def columns_alone(x: Any, axis: int = -1) -> Any:
    return x.exp() / x.exp().sum(0)


def two_axes_at_most(x: Any, axis: int = -1) -> Any:
    if x.ndim == 1:
        return torch.exp(x) / torch.exp(x).sum()
    if x.ndim == 2:
        return torch.exp(x) / torch.exp(x).sum(axis, keepdim=True)
    print("The tensor has more than two axes.")
    return None


def clipped_at_700(x: Any, axis: int = -1) -> Any:
    powers = x.clamp(-700, 700).exp()
    return powers / powers.sum(axis, keepdim=True)


def first_of_the_row(x: Any, axis: int = -1) -> Any:
    powers = (x - x.index_select(axis, torch.tensor([0]))).exp()
    return powers / powers.sum(axis, keepdim=True)


def applied_twice(x: Any, axis: int = -1) -> Any:
    for _ in range(2):
        powers = (x - x.amax(axis, keepdim=True)).exp()
        x = powers / powers.sum(axis, keepdim=True)
    return x


def pair_of_maximum(x: Any, axis: int = -1) -> Any:
    powers = torch.exp(x - torch.max(x, dim=axis, keepdim=True))
    return powers / powers.sum(axis, keepdim=True)


def reversed_by_the_maximum(x: Any, axis: int = -1) -> Any:
    energy = x.amax(axis, keepdim=True).expand_as(x) - x
    powers = (energy - energy.amax(axis, keepdim=True)).exp()
    return powers / powers.sum(axis, keepdim=True)


# -- log-sum-exp, log-softmax ----------------------------------------------------------------------


def maximum_not_returned(x: Any, axis: int = -1) -> Any:
    top = x.amax(axis, keepdim=True)
    return torch.log(torch.exp(x - top).sum(axis))


def one_maximum_of_the_data(x: Any, axis: int = -1) -> Any:
    top = x.data.max()
    return torch.log(torch.sum(torch.exp(x - top), axis)) + top


def axis_lost_behind_the_sum(x: Any, axis: int = -1) -> Any:
    top = x.max(axis, keepdim=True).values
    return top + (x - top).exp().sum(axis).log()


def all_axes_squeezed(x: Any, axis: int = -1) -> Any:
    top = x.max(dim=axis, keepdim=True)[0]
    top = torch.where(top.isinf(), torch.zeros_like(top), top)
    return top.squeeze() + torch.log(torch.sum(torch.exp(x - top), dim=axis))


def logarithm_of_weights(x: Any, axis: int = -1) -> Any:
    powers = torch.exp(x - x.amax(axis, keepdim=True))
    return torch.log(powers / powers.sum(axis, keepdim=True))


def at_least_zero_in_logarithms(x: Any, axis: int = -1) -> Any:
    shifted = x - x.amax(axis, keepdim=True).clamp(min=0)
    return shifted - shifted.exp().sum(axis, keepdim=True).log()


def logarithm_of_softmax_of_softmax(x: Any, axis: int = -1) -> Any:
    powers = (x - x.amax(axis, keepdim=True)).exp()
    weights = powers / powers.sum(axis, keepdim=True)
    return weights - weights.exp().sum(axis, keepdim=True).log()


def base_ten(x: Any, axis: int = -1) -> Any:
    shifted = x - x.amax(axis, keepdim=True)
    return (shifted - shifted.exp().sum(axis, keepdim=True).log()) / math.log(10)


# -- the way back ----------------------------------------------------------------------------------


def gradient_copied(p: Any, g: Any, axis: int = -1) -> Any:
    return g.clone()


def diagonal_alone(p: Any, g: Any, axis: int = -1) -> Any:
    return g * (p * (1 - p))


def derivative_without_g(p: Any, g: Any, axis: int = -1) -> Any:
    return p * (1 - p)


def twice_as_large(p: Any, g: Any, axis: int = -1) -> Any:
    return 2 * p * (g - (p * g).sum(axis, keepdim=True))


def product_alone(p: Any, g: Any, axis: int = -1) -> Any:
    return p.mul(g)


def less_one(p: Any, g: Any, axis: int = -1) -> Any:
    return g * (p - 1)


def weights_and_gradient(p: Any, g: Any, axis: int = -1) -> Any:
    return p + g


def last_column_written_last(p: Any, g: Any, axis: int = -1) -> Any:
    """Overwrite the row's gradient for each key, so that the last one's is left."""
    p, g = p.movedim(axis, -1), g.movedim(axis, -1)
    result = torch.empty_like(p)
    for s in range(p.shape[-1]):
        result = -p * p[..., s : s + 1] * g[..., s : s + 1]
        result[..., s] = p[..., s] * (1 - p[..., s]) * g[..., s]
    return result.movedim(-1, axis)


def written_into_g(p: Any, g: Any, axis: int = -1) -> Any:
    g -= (p * g).sum(axis, keepdim=True)
    g *= p
    return g


# -- sink ------------------------------------------------------------------------------------------


def per_head(sink: Any) -> Any:
    return sink[:, None, None] if torch.is_tensor(sink) else torch.tensor(sink).double()


def sink_not_shifted(scores: Any, sink: Any) -> Any:
    powers = (scores - scores.amax(-1, keepdim=True)).exp()
    return powers / (per_head(sink).exp() + powers.sum(-1, keepdim=True))


def sink_counted(times: float) -> Callable[..., Any]:
    def with_sink(scores: Any, sink: Any) -> Any:
        column = per_head(sink).expand(*scores.shape[:-1], 1) + math.log(times)
        return torch.cat([scores, column], -1).softmax(-1)[..., :-1]

    return with_sink


def sink_and_one(scores: Any, sink: Any) -> Any:
    """Add a column for the sink, and 1 to the denominator as well."""
    both = torch.cat([scores, per_head(sink).expand(*scores.shape[:-1], 1)], -1)
    top = both.amax(-1, keepdim=True).clamp(min=0)
    powers = (both - top).exp()
    return (powers / (powers.sum(-1, keepdim=True) + (-top).exp()))[..., :-1]


def sink_left_out(scores: Any, sink: Any) -> Any:
    powers = (scores - scores.amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True)


def sink_in_base_two(scores: Any, sink: Any) -> Any:
    column = per_head(sink).expand(*scores.shape[:-1], 1) * math.log(2)
    return torch.cat([scores, column], -1).softmax(-1)[..., :-1]


def factor_clamped(scores: Any, sink: Any) -> Any:
    lse = scores.logsumexp(-1, keepdim=True)
    total = torch.logaddexp(lse, per_head(sink))
    return scores.softmax(-1) * (lse - total).clamp(-20, 0).exp()


def sink_scaled_like_scores(scores: Any, sink: Any) -> Any:
    column = per_head(sink).expand(*scores.shape[:-1], 1) / math.sqrt(scores.shape[-1])
    return torch.cat([scores, column], -1).softmax(-1)[..., :-1]


# -- scale -----------------------------------------------------------------------------------------


def root_of_the_head_alone(
    head_dim: float, query_pre_attn_scalar: Any = None, yarn_factor: Any = None
) -> Any:
    mscale = 1 if yarn_factor is None else 0.1 * math.log(yarn_factor) + 1
    return mscale**2 / math.sqrt(head_dim)


def always_the_head(
    head_dim: float, query_pre_attn_scalar: Any = None, yarn_factor: Any = None
) -> Any:
    return head_dim**-0.5


def ratio_of_equals(
    head_dim: float, query_pre_attn_scalar: Any = None, yarn_factor: Any = None
) -> Any:
    def mscale(factor: float) -> float:
        return 0.1 * math.log(factor) + 1

    size = head_dim if query_pre_attn_scalar is None else query_pre_attn_scalar
    ratio = 1.0 if yarn_factor is None else mscale(yarn_factor) / mscale(yarn_factor)
    return ratio / math.sqrt(size)


def absorbed_size(
    head_dim: float, query_pre_attn_scalar: Any = None, yarn_factor: Any = None
) -> Any:
    size = (query_pre_attn_scalar or head_dim) + 512
    mscale = 1.0 if not yarn_factor else 1.0 + 0.1 * math.log(yarn_factor)
    return mscale**2 / size**0.5


# -- entropy ---------------------------------------------------------------------------------------


def padded_policy(scores: Any) -> Any:
    policy = scores.softmax(-1) + 1e-7
    return -(policy * policy.log()).sum(-1)


def padded_and_averaged(scores: Any) -> Any:
    weights = scores.softmax(-1) + 1e-8
    return (-weights * weights.log()).sum(-1).mean()


def in_bits(scores: Any) -> Any:
    weights = scores.softmax(-1)
    return -(weights * weights.clamp(1e-10, 1.0).log2()).sum(-1)


def in_tens(scores: Any) -> Any:
    weights = scores.softmax(-1)
    return -torch.xlogy(weights, weights).sum(-1) / math.log(10)


def in_units_of_the_keys(scores: Any) -> Any:
    weights = scores.softmax(-1)
    return -torch.xlogy(weights, weights).sum(-1) / math.log(scores.shape[-1])


def sign_forgotten(scores: Any) -> Any:
    logs = scores.log_softmax(-1)
    return (logs.exp() * logs).sum(-1)


def cross_entropy_of_itself(scores: Any) -> Any:
    return -(scores * scores.log_softmax(-1)).sum(-1)


def scores_not_shifted_back(scores: Any) -> Any:
    top = scores.amax(-1, keepdim=True)
    total = (scores - top).exp().sum(-1, keepdim=True)
    return -(scores.softmax(-1) * (scores - total.log())).sum(-1)


def scores_taken_for_logarithms(scores: Any) -> Any:
    return -(scores.exp() * scores).sum(-1)


# -- scores ----------------------------------------------------------------------------------------


def keys_against_queries(query: Any, key: Any) -> Any:
    return torch.einsum("...sd,...td->...st", key, query)


def cosine_times_eight(query: Any, key: Any) -> Any:
    return 8 * F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).mT


def one_letter_for_two_axes(query: Any, key: Any) -> Any:
    return torch.einsum("...td,...td->...t", query, key)


# -- attention, with and without a mask ------------------------------------------------------------


def scores_of(query: Any, key: Any) -> Any:
    return query @ key.mT / math.sqrt(query.shape[-1])


def filled(scores: Any, may: Any, number: float = TINY) -> Any:
    return scores.masked_fill(~may, number)


def masked(
    fill: Callable[..., Any] = filled,
    weigh: Callable[..., Any] = lambda z: z.softmax(-1),
    after: Callable[..., Any] = lambda w, may: w * may,
    score: Callable[..., Any] = scores_of,
) -> Any:
    """Make an attention in which one step is another; as it stands, it is right."""

    def attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        scores = score(query, key)
        if may_attend is None:
            weights = weigh(scores)
        else:
            weights = after(weigh(fill(scores, may_attend)), may_attend)
        return weights @ value, weights

    return attention


def keep(weights: Any, may: Any) -> Any:
    return weights


def over_the_queries(query: Any, key: Any, value: Any) -> Any:
    weights = scores_of(query, key).softmax(-2)
    return weights @ value, weights


def scaled_behind(query: Any, key: Any, value: Any) -> Any:
    weights = (query @ key.mT).softmax(-1) * query.shape[-1] ** -0.5
    return weights @ value, weights


def root_of_the_values(query: Any, key: Any, value: Any) -> Any:
    weights = (query @ key.mT / math.sqrt(value.shape[-1])).softmax(-1)
    return weights @ value, weights


def cosine_attention(query: Any, key: Any, value: Any) -> Any:
    weights = cosine_times_eight(query, key).softmax(-1)
    return weights @ value, weights


def query_alone(query: Any, key: Any, value: Any) -> Any:
    weights = scores_of(query, query).softmax(-1)
    return weights @ query, weights


def temperature_behind_the_logarithm(query: Any, key: Any, value: Any) -> Any:
    weights = ((query @ key.mT).log_softmax(-1) / math.sqrt(query.shape[-1])).exp()
    return weights @ value, weights


def severed(query: Any, key: Any, value: Any) -> Any:
    weights = torch.from_numpy(scores_of(query, key).detach().numpy()).softmax(-1)
    return weights @ value, weights


def scores_divided_by_d(query: Any, key: Any, value: Any) -> Any:
    weights = (query @ key.mT / query.shape[-1]).softmax(-1)
    return weights @ value, weights


def sdpa_with_its_complement(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    mask = None if may_attend is None else ~may_attend
    eye = torch.eye(key.shape[-2], dtype=key.dtype).expand(*key.shape[:-1], -1)
    weights = F.scaled_dot_product_attention(query, key, eye, attn_mask=mask)
    return weights @ value, weights


def mask_written_into_itself(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    bias = torch.zeros(query.shape[-2], key.shape[-2], dtype=query.dtype)
    if may_attend is not None:
        may_attend.masked_fill_(may_attend.logical_not(), True)
    weights = (scores_of(query, key) + bias).softmax(-1)
    return weights @ value, weights


def fill_not_kept(scores: Any, may: Any) -> Any:
    scores.masked_fill(~may, -math.inf)
    return scores


def padding_is_zero(scores: Any, may: Any) -> Any:
    return torch.where(may, scores, may * -1e8)


def ten_less(scores: Any, may: Any) -> Any:
    return scores + ~may * -10.0


def one_more_for_the_allowed(scores: Any, may: Any) -> Any:
    return scores + torch.where(may, 1.0, -9e15)


def always_causal(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    T, S = query.shape[-2], key.shape[-2]
    may = torch.ones(T, S, dtype=torch.bool).tril(S - T)
    may = may if may_attend is None else may & may_attend
    return masked()(query, key, value, may)


def renormalised_with_a_number(weights: Any, may: Any) -> Any:
    kept = weights * may
    return kept / (kept.sum(-1, keepdim=True) + 1e-13)


def dropped_out(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    output, weights = masked()(query, key, value, may_attend)
    return F.dropout(output, 0.1), weights


def head_axis_put_in(scores: Any, may: Any) -> Any:
    return scores.masked_fill(~may.unsqueeze(1), TINY)


def square_mask(scores: Any, may: Any) -> Any:
    *lead, T, _ = may.shape
    return scores.masked_fill(~may.reshape(*lead, T, T), TINY)


def padding_on_the_queries(scores: Any, may: Any) -> Any:
    rows = may.mT if may.shape[-2] == 1 else may
    return scores.masked_fill(~rows, TINY)


def largest_left_at_zero(scores: Any) -> Any:
    """Take 0 for the maximum of a row with nothing to read, and a running maximum from there."""
    top = scores.amax(-1, keepdim=True)
    top = torch.where(top < -1e300, 0.0, top)
    powers = (scores - top.clamp(min=0)).exp()
    return powers / powers.sum(-1, keepdim=True)


def exponential_with_a_floor(scores: Any) -> Any:
    powers = (scores - scores.amax(-1, keepdim=True)).clamp(min=-87).exp()
    return powers / powers.sum(-1, keepdim=True)


def in_float32(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    fill = functools.partial(filled, number=torch.finfo(torch.float32).min)
    return masked(fill)(query.float(), key.float(), value.float(), may_attend)


# -- projections -----------------------------------------------------------------------------------


def all_from_the_keys_layer(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    source = x if context is None else context
    key = source @ w_k
    return key, key.clone(), key.clone()


def one_matrix_again(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_k, source @ w_k, source @ w_v


def values_stay_behind(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    previous = x if context is None else context
    return previous @ w_q, previous @ w_k, x @ w_v


def letters_exchanged(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    source = x if context is None else context
    pairs = ((x, w_q), (source, w_k), (source, w_v))
    return tuple(torch.einsum("...nd,od->...no", rows, w) for rows, w in pairs)


def values_before_keys(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_v, source @ w_k


def context_ignored(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    return tuple(x @ w for w in (w_q, w_k, w_v))


# -- loops -----------------------------------------------------------------------------------------


def row_scores(q: Any, key: Any) -> list[float]:
    return [
        sum(float(a) * float(b) for a, b in zip(q, k, strict=True)) / len(q) ** 0.5 for k in key
    ]


def rescaled_the_wrong_way(query: Any, key: Any, value: Any) -> Any:
    rows = []
    for q in query:
        top, total, mixed = -1e30, 0.0, np.zeros(value.shape[1])
        for score, v in zip(row_scores(q, key), value, strict=True):
            new = max(top, score)
            keep_old = math.exp(min(new - top, 700)) if total else 0.0
            add = math.exp(score - new)
            top, total, mixed = new, total * keep_old + add, mixed * keep_old + add * v
        rows.append(mixed / total)
    return np.array(rows)


def maximum_of_the_block(query: Any, key: Any, value: Any) -> Any:
    """Rescale by the block's own maximum, which forgets the larger one before it."""
    rows = []
    for q in query:
        top, total, mixed = None, 0.0, np.zeros(value.shape[1])
        scores = row_scores(q, key)
        for start in range(0, len(scores), 3):
            block = scores[start : start + 3]
            new = max(block)
            old = 1.0 if top is None else math.exp(top - new)
            powers = [math.exp(score - new) for score in block]
            total, mixed = total * old + sum(powers), mixed * old
            for power, v in zip(powers, value[start : start + 3], strict=True):
                mixed = mixed + power * v
            top = new
        rows.append(mixed / total)
    return np.array(rows)


def sums_go_on(query: Any, key: Any, value: Any) -> Any:
    """Set the mixture back for no row, so that each holds those before it."""
    output = np.zeros((len(query), value.shape[1]))
    mixed = np.zeros(value.shape[1])
    for t, q in enumerate(query):
        scores = row_scores(q, key)
        powers = [math.exp(score - max(scores)) for score in scores]
        for power, v in zip(powers, value, strict=True):
            mixed = mixed + power / sum(powers) * v
        output[t] = mixed
    return output


def last_key_left_out(query: Any, key: Any, value: Any) -> Any:
    output = np.zeros((len(query), value.shape[1]))
    for t, q in enumerate(query):
        scores = row_scores(q, key)
        powers = [math.exp(score - max(scores)) for score in scores]
        for s, power in enumerate(powers):
            if s + 1 >= len(powers):
                break
            output[t] += power / sum(powers) * value[s]
    return output


def empty_maximum_is_zero(query: Any, key: Any, value: Any) -> Any:
    output = np.zeros((len(query), value.shape[1]))
    for t, q in enumerate(query):
        scores, top = row_scores(q, key), 0.0
        for score in scores:
            top = score if score > top else top
        powers = [math.exp(score - top) for score in scores]
        total = sum(powers)
        for power, v in zip(powers, value, strict=True):
            output[t] += power * v / total if total else 0.0
    return output


# -- patterns --------------------------------------------------------------------------------------


def pointing(previous: Callable[..., Any], sharp: float = 50.0, average: float = 0.0) -> Any:
    """Make queries that point at the wanted position, by what "previous" is taken to be."""

    def make(pattern: str, T: int) -> Any:
        key = torch.eye(T, dtype=torch.float64)
        chosen = {
            "identity": key, "previous token": previous(key),
            "first token": key[:1].expand(T, T), "average": average * key,
        }[pattern]  # fmt: skip
        return sharp * chosen, key

    return make


def shifted_behind_a_zero(key: Any) -> Any:
    return F.pad(key, (0, 0, 1, 0))[:-1]


def zeros_roll_in(key: Any) -> Any:
    return key.roll(1, 0)


def rolled_back(key: Any) -> Any:
    return key.roll(-1, 0)


def rolled_on_both_axes(key: Any) -> Any:
    return key.roll((1, 1), (0, 1))


# -- measures --------------------------------------------------------------------------------------


def one_matrix_product(D: int, n: int, generator: Any, scale: float) -> float:
    query, key = torch.randn(2, D, D, generator=generator)
    return float((scale * query @ key).var())


def std_for_variance(D: int, n: int, generator: Any, scale: float) -> float:
    query, key = torch.randn(2, n, D, generator=generator)
    return float(np.std((scale * (query * key).sum(1)).numpy()))


def seeded_twice(D: int, n: int, generator: Any, scale: float) -> float:
    state = generator.get_state()
    query = torch.randn(n, D, generator=generator)
    generator.set_state(state)
    key = torch.randn(n, D, generator=generator)
    return float((scale * (query * key).sum(-1)).var())


def fresh_generator(D: int, n: int, generator: Any, scale: float) -> float:
    query, key = torch.randn(2, n, D, generator=torch.Generator())
    return float((scale * (query * key).sum(-1)).var())


def mean_for_spread(D: int, n: int, generator: Any, scale: float) -> float:
    query, key = (torch.normal(1.0, 1.0, (n, D), generator=generator) for _ in range(2))
    return float((scale * (query * key).sum(-1)).var())


def uniform_numbers(D: int, n: int, generator: Any, scale: float) -> float:
    query, key = torch.rand(2, n, D, generator=generator)
    return float((scale * (query * key).sum(-1)).var())


def generator_dropped(S: int, n: int, generator: Any) -> float:
    return float(torch.zeros(n, S).normal_().mean(1).std())


def divided_by_all(S: int, n: int, generator: Any) -> float:
    values = torch.randn(n, S, generator=generator)
    return float((values.sum(-1) / values.numel()).std())


def pooled_over_the_batch(S: int, n: int, generator: Any) -> float:
    return float(torch.randn(n, S, generator=generator).mean(dim=0).std())


def largest_of_the_batch(D: int, S: int, scale: float, trials: int, generator: Any) -> float:
    query = torch.randn(trials, 1, D, generator=generator)
    key = torch.randn(trials, S, D, generator=generator)
    return float((scale * query @ key.mT).softmax(-1).max())


def softmax_over_one_query(D: int, S: int, scale: float, trials: int, generator: Any) -> float:
    query = torch.randn(trials, 1, D, generator=generator)
    key = torch.randn(trials, S, D, generator=generator)
    return float((scale * query @ key.mT).softmax(1).amax(-1).mean())


def share_counted_twice(S: int, sink: float, n: int, generator: Any) -> float:
    powers = torch.randn(n, S, generator=generator).exp().sum(1)
    twice = 2 * math.exp(sink)
    return float((twice / (twice + powers)).mean())


def share_without_itself(S: int, sink: float, n: int, generator: Any) -> float:
    weights = torch.randn(n, S, generator=generator).softmax(-1)
    return float(1 - weights.sum(-1).mean())


# -- warm-ups --------------------------------------------------------------------------------------


def divided_by_d(scores: Any, head_dim: int) -> Any:
    return scores / head_dim


def not_divided(scores: Any, head_dim: int) -> Any:
    return scores.clone()


def multiplied_by_the_root(scores: Any, head_dim: int) -> Any:
    return scores * head_dim**0.5


def one_query_unscaled(query: Any, key: Any, value: Any) -> Any:
    return (key @ query).softmax(0) @ value


def weights_over_all_that_is_one(query: Any, key: Any, value: Any) -> Any:
    weights = (key @ query / math.sqrt(len(query)))[:, None].softmax(-1)
    return (weights * value).sum(0)


def values_times_weights(weights: Any, value: Any) -> Any:
    return (value.mT @ weights).mT


def summed_along_the_rows(weights: Any, value: Any) -> Any:
    return (weights.unsqueeze(-1) * value.unsqueeze(-3)).sum(-3)


def encoders_length(T: int, S: int, D: int, Dv: int) -> Any:
    return (T, S), (S, Dv)


def lengths_are_equal(T: int, S: int, D: int, Dv: int) -> Any:
    return (T, T), (T, Dv)


# -- the first notebook's warm-ups -----------------------------------------------------------------


def times_the_temperature(scores: Any, temperature: float) -> Any:
    return F.softmax(scores * temperature, dim=-1)


def logarithms_at_a_temperature(scores: Any, temperature: float) -> Any:
    return (scores.log_softmax(-1) / temperature).exp()


def state_without_tanh(x: Any, h: Any, w_x: Any, w_h: Any) -> Any:
    return torch.cat([x, h], -1) @ torch.cat([w_x, w_h])


def tanh_of_the_input_alone(x: Any, h: Any, w_x: Any, w_h: Any) -> Any:
    return (x @ w_x).tanh() + h @ w_h
