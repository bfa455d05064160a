"""Right answers in styles that few write: each keeps the contract, so each has to be accepted."""

import itertools
import math
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

# -- softmax and its relatives ---------------------------------------------------------------------


def softmax_in_place_on_a_copy(x: Any, axis: int = -1) -> Any:
    powers = x.clone()
    powers -= powers.detach().amax(axis, keepdim=True)
    powers.exp_()
    return powers / powers.sum(axis, keepdim=True)


def softmax_from_ratios(x: Any, axis: int = -1) -> Any:
    """Divide 1 by the sum of e^(other − own): no maximum, because an infinite sum gives 0."""
    moved = x.movedim(axis, -1)
    ratios = (moved.unsqueeze(-2) - moved.unsqueeze(-1)).clamp(max=709).exp()
    return (1 / ratios.sum(-1)).movedim(-1, axis)


def softmax_online(x: Any, axis: int = -1) -> Any:
    """Read one score after another; keep the maximum so far, and the sum relative to it."""
    first, *others = x.unbind(axis)
    top, total = first, torch.ones_like(first)
    for score in others:
        new = torch.maximum(top, score)
        total = total * (top - new).exp() + (score - new).exp()
        top = new
    return (x - top.unsqueeze(axis)).exp() / total.unsqueeze(axis)


def softmax_in_chunks(x: Any, axis: int = -1) -> Any:
    parts = x.split(2, axis)
    tops = [part.amax(axis, keepdim=True) for part in parts]
    top = reduce(torch.maximum, tops)
    powers = [(part - top).exp() for part in parts]
    total = sum(power.sum(axis, keepdim=True) for power in powers)
    return torch.cat([power / total for power in powers], axis)


def softmax_by_vmap(x: Any, axis: int = -1) -> Any:
    def of_a_row(row: Any) -> Any:
        powers = torch.exp(row - row.max())
        return powers / powers.sum()

    moved = x.movedim(axis, -1)
    rows = moved.reshape(-1, moved.shape[-1])
    return torch.func.vmap(of_a_row)(rows).reshape(moved.shape).movedim(-1, axis)


def softmax_in_base_two(x: Any, axis: int = -1) -> Any:
    powers = torch.exp2((x - x.amax(axis, keepdim=True)) / math.log(2))
    return powers / powers.sum(axis, keepdim=True)


def softmax_with_two_floors(x: Any, axis: int = -1) -> Any:
    """Shift by the maximum, and divide by at least 1, which the sum is anyway."""
    powers = (x - x.amax(axis, keepdim=True)).exp()
    return powers / powers.sum(axis, keepdim=True).clamp(min=1.0)


def softmax_by_sorting(x: Any, axis: int = -1) -> Any:
    ordered, places = x.sort(axis, descending=True)
    powers = (ordered - ordered.narrow(axis, 0, 1)).exp()
    weights = powers / powers.sum(axis, keepdim=True)
    return torch.zeros_like(x).scatter(axis, places, weights)


def softmax_by_einsum(x: Any, axis: int = -1) -> Any:
    moved = x.movedim(axis, -1)
    powers = torch.exp(moved - moved.max(-1, keepdim=True).values)
    total = torch.einsum("...s,s->...", powers, torch.ones_like(powers[(0,) * (x.ndim - 1)]))
    return torch.einsum("...s,...->...s", powers, total.reciprocal()).movedim(-1, axis)


def softmax_of_differences_of_means(x: Any, axis: int = -1) -> Any:
    """Subtract the mean first, which changes nothing, then the maximum."""
    centred = x - x.mean(axis, keepdim=True)
    powers = (centred - centred.amax(axis, keepdim=True)).exp()
    return powers.div(powers.sum(axis, keepdim=True))


class LogSumExp(torch.autograd.Function):
    """A log-sum-exp with a backward pass of its own."""

    @staticmethod
    def forward(ctx: Any, x: Any, axis: int) -> Any:
        top = x.amax(axis, keepdim=True)
        top = torch.where(top.isinf(), torch.zeros_like(top), top)
        powers = (x - top).exp()
        total = powers.sum(axis, keepdim=True)
        ctx.save_for_backward(powers / total.clamp(min=1e-300))
        ctx.axis = axis
        return (total.log() + top).squeeze(axis)

    @staticmethod
    def backward(ctx: Any, flowing: Any) -> Any:
        (weights,) = ctx.saved_tensors
        return weights * flowing.unsqueeze(ctx.axis), None


def logsumexp_of_its_own(x: Any, axis: int = -1) -> Any:
    return LogSumExp.apply(x, axis)


def logsumexp_mended_behind(x: Any, axis: int = -1) -> Any:
    top = x.amax(axis, keepdim=True)
    made = ((x - top).exp().sum(axis, keepdim=True).log() + top).squeeze(axis)
    return torch.where(made.isnan(), top.squeeze(axis), made)


def logsumexp_by_halves(x: Any, axis: int = -1) -> Any:
    parts = list(x.unbind(axis))
    while len(parts) > 1:
        pairs = itertools.zip_longest(parts[::2], parts[1::2])
        parts = [one if other is None else torch.logaddexp(one, other) for one, other in pairs]
    return parts[0]


def logsumexp_by_softplus(x: Any, axis: int = -1) -> Any:
    """Add one score after another: log(e^a + e^b) = a + log(1 + e^(b − a))."""
    ordered = x.sort(axis, descending=True).values
    first, *others = ordered.unbind(axis)
    total = first
    for score in others:
        gap = torch.where(score.isinf(), torch.full_like(score, -1e30), score - total)
        total = torch.where(total.isinf(), score, total + torch.log1p(gap.exp()))
    return total


def log_softmax_once_more(x: Any, axis: int = -1) -> Any:
    """Normalise twice: the second time there is nothing left to do."""
    for _ in range(2):
        shifted = x - x.amax(axis, keepdim=True)
        x = shifted - shifted.exp().sum(axis, keepdim=True).log()
    return x


def log_softmax_by_sorting(x: Any, axis: int = -1) -> Any:
    order = x.argsort(axis)
    ordered = x.gather(axis, order)
    top = ordered.narrow(axis, x.shape[axis] - 1, 1)
    rest = ordered.narrow(axis, 0, x.shape[axis] - 1)
    return x - top - torch.log1p((rest - top).exp().sum(axis, keepdim=True))


def log_softmax_of_differences(x: Any, axis: int = -1) -> Any:
    """Take −log Σ e^(other − own) for each, with the largest difference in front."""
    moved = x.movedim(axis, -1)
    apart = moved.unsqueeze(-2) - moved.unsqueeze(-1)
    top = apart.amax(-1)
    return -(top + (apart - top.unsqueeze(-1)).exp().sum(-1).log()).movedim(-1, axis)


def vjp_by_loops(p: Any, g: Any, axis: int = -1) -> Any:
    columns, mean = [], 0
    for weight, gradient in zip(p.unbind(axis), g.unbind(axis), strict=True):
        mean = mean + weight * gradient
    for weight, gradient in zip(p.unbind(axis), g.unbind(axis), strict=True):
        columns.append(weight * (gradient - mean))
    return torch.stack(columns, axis)


def vjp_by_addcmul(p: Any, g: Any, axis: int = -1) -> Any:
    product = torch.mul(p, g)
    return torch.addcmul(product, p, product.sum(axis, keepdim=True), value=-1)


def vjp_by_matmul(p: Any, g: Any, axis: int = -1) -> Any:
    p, g = p.movedim(axis, -1).unsqueeze(-2), g.movedim(axis, -1).unsqueeze(-1)
    return (p * (g.mT - p @ g)).squeeze(-2).movedim(-1, axis)


def vjp_in_numpy(p: Any, g: Any, axis: int = -1) -> Any:
    """Go by way of NumPy, in float64, and come back in the dtype of p."""
    mine, given = p.double().numpy(), g.double().numpy()
    return torch.from_numpy(mine * (given - (mine * given).sum(axis, keepdims=True))).to(p.dtype)


# -- sink ------------------------------------------------------------------------------------------


def sink_as_a_factor(scores: Any, sink: Any) -> Any:
    column = sink[:, None, None] if torch.is_tensor(sink) else sink
    gap = column - torch.logsumexp(scores, -1, keepdim=True)
    return torch.softmax(scores, -1) * torch.sigmoid(-gap)


def sink_by_padding(scores: Any, sink: Any) -> Any:
    logit = torch.as_tensor(sink, dtype=scores.dtype).reshape(-1, 1, 1)
    padded = F.pad(scores - logit, (0, 1))
    return padded.softmax(-1)[..., :-1]


def sink_head_by_head(scores: Any, sink: Any) -> Any:
    made = []
    for h in range(scores.shape[-3]):
        own = sink[h] if torch.is_tensor(sink) else torch.tensor(sink).to(scores)
        one = scores[..., h, :, :]
        top = torch.maximum(one.amax(-1, keepdim=True), own)
        powers = (one - top).exp()
        made.append(powers / (powers.sum(-1, keepdim=True) + (own - top).exp()))
    return torch.stack(made, -3)


# -- attention -------------------------------------------------------------------------------------


def attention_by_baddbmm(query: Any, key: Any, value: Any) -> Any:
    *lead, T, D = query.shape
    S, Dv = value.shape[-2:]
    nothing = torch.empty(0, dtype=query.dtype).new_zeros(math.prod(lead), T, S)
    flat = [one.reshape(-1, *one.shape[-2:]) for one in (query, key, value)]
    scores = torch.baddbmm(nothing, flat[0], flat[1].mT, beta=0, alpha=D**-0.5)
    weights = scores.softmax(-1)
    return torch.bmm(weights, flat[2]).reshape(*lead, T, Dv), weights.reshape(*lead, T, S)


def attention_by_fourth_roots(query: Any, key: Any, value: Any) -> Any:
    root = query.shape[-1] ** -0.25
    weights = torch.einsum("...td,...sd->...ts", query * root, key * root).softmax(-1)
    return torch.einsum("...ts,...sv->...tv", weights, value), weights


def attention_query_by_query(query: Any, key: Any, value: Any) -> Any:
    outputs, rows = [], []
    for t in range(query.shape[-2]):
        scores = (key @ query[..., t, :, None])[..., 0] / math.sqrt(query.shape[-1])
        row = torch.softmax(scores, -1)
        rows.append(row)
        outputs.append((row[..., None] * value).sum(-2))
    return torch.stack(outputs, -2), torch.stack(rows, -2)


def attention_with_keys_first(query: Any, key: Any, value: Any) -> Any:
    turned = torch.softmax(key @ query.mT / math.sqrt(key.shape[-1]), dim=-2)
    return (value.mT @ turned).mT, turned.transpose(-1, -2)


def attention_as_one_matrix(query: Any, key: Any, value: Any) -> Any:
    """Let the values carry the identity beside them: one product gives output and weights."""
    eye = torch.eye(key.shape[-2], dtype=value.dtype).expand(*value.shape[:-1], -1)
    both = F.scaled_dot_product_attention(query, key, torch.cat([value, eye], -1))
    return both[..., : value.shape[-1]], both[..., value.shape[-1] :]


def attention_in_a_list(query: Any, key: Any, value: Any) -> Any:
    weights = (query.div(math.sqrt(query.size(-1))).matmul(key.mT)).softmax(-1)
    return [weights.matmul(value), weights]


def masked_by_subtraction(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if may_attend is None:
        weights = scores.softmax(-1)
    else:
        bias = torch.zeros_like(scores).masked_fill(~may_attend, -math.inf)
        empty = ~may_attend.any(-1, keepdim=True)
        weights = (scores + bias.masked_fill(empty, 0.0)).softmax(-1).masked_fill(empty, 0.0)
    return weights @ value, weights


def masked_with_a_floor_of_one(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    """Divide by at least 1: with the maximum subtracted, a smaller sum is that of an empty row."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if may_attend is not None:
        scores = torch.where(may_attend, scores, torch.finfo(scores.dtype).min)
    powers = (scores - scores.amax(-1, keepdim=True)).exp()
    powers = powers if may_attend is None else powers * may_attend
    weights = powers / powers.sum(-1, keepdim=True).clamp(min=1.0)
    return torch.matmul(weights, value), weights


def masked_in_chunks(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    """Go through the keys three at a time, with a running maximum, sum and mixture."""
    T, S = query.shape[-2], key.shape[-2]
    may = torch.ones(T, S, dtype=torch.bool) if may_attend is None else may_attend
    may = may.expand(*query.shape[:-2], T, S)
    scores = query @ key.mT * query.shape[-1] ** -0.5
    low = torch.finfo(scores.dtype).min
    top = torch.full_like(scores[..., :1], low)
    total, mixed = torch.zeros_like(top), 0
    for start in range(0, S, 3):
        here = slice(start, start + 3)
        block = torch.where(may[..., here], scores[..., here], low)
        new = torch.maximum(top, block.amax(-1, keepdim=True))
        powers = (block - new).exp() * may[..., here]
        mixed = mixed * (top - new).exp() + powers @ value[..., here, :]
        total = total * (top - new).exp() + powers.sum(-1, keepdim=True)
        top = new
    read = total.clamp(min=torch.finfo(scores.dtype).tiny)
    return mixed / read, torch.where(may, (scores - top).clamp(max=0).exp(), 0.0) / read


def masked_row_by_row(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    """Leave out what may not be read instead of filling it, one row after the other."""
    lead, (T, S) = query.shape[:-2], (query.shape[-2], key.shape[-2])
    may = torch.ones(T, S, dtype=torch.bool) if may_attend is None else may_attend
    may = may.expand(*lead, T, S).reshape(-1, T, S)
    scores = (query @ key.mT / query.shape[-1] ** 0.5).reshape(-1, T, S)
    rows = []
    for n, t in itertools.product(range(len(scores)), range(T)):
        row = torch.zeros(S, dtype=scores.dtype)
        places = may[n, t].nonzero()[:, 0]
        if len(places):
            row = row.index_copy(0, places, scores[n, t][places].softmax(0))
        rows.append(row)
    weights = torch.stack(rows).reshape(*lead, T, S)
    return weights @ value, weights


def masked_by_vmap(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    def one(q: Any, k: Any, v: Any, may: Any) -> Any:
        scores = torch.where(may, k @ q / len(q) ** 0.5, torch.finfo(q.dtype).min)
        weights = torch.where(may, scores.softmax(0), 0.0)
        return weights @ v, weights

    T, S = query.shape[-2], key.shape[-2]
    lead = query.shape[:-2]
    may = torch.ones(T, S, dtype=torch.bool) if may_attend is None else may_attend
    flat = [part.reshape(-1, *part.shape[-2:]) for part in (query, key, value)]
    allowed = may.expand(*lead, T, S).reshape(-1, T, S)
    rows = torch.func.vmap(one, in_dims=(0, None, None, 0))
    output, weights = torch.func.vmap(rows)(*flat, allowed)
    return output.reshape(*lead, T, -1), weights.reshape(*lead, T, S)


def masked_by_products(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    """Use a mask of numbers, and write the exponentials of what may be read into zeros."""
    scores = torch.einsum("...id,...jd->...ij", query, key) * (1 / math.sqrt(key.shape[-1]))
    may = torch.ones_like(scores) if may_attend is None else may_attend.to(scores) + 0 * scores
    low = torch.finfo(scores.dtype).min
    top = scores.masked_fill(may == 0, low).max(-1, keepdim=True)[0]
    powers = torch.exp((scores - top).clamp(max=0.0)) * may
    total = powers.sum(-1, keepdim=True)
    weights = powers / (total + (total == 0))
    return torch.einsum("...ij,...jv->...iv", weights, value), weights


# -- scores and projections ------------------------------------------------------------------------


def scores_by_tensordot(query: Any, key: Any) -> Any:
    if query.ndim == 2:
        return torch.tensordot(query, key, dims=([1], [1]))
    pairs = zip(query, key, strict=True)
    return torch.stack([scores_by_tensordot(one, other) for one, other in pairs])


def scores_by_lengths(query: Any, key: Any) -> Any:
    """Take half of |q|² + |k|² − |q − k|², in float64, where the difference costs no digits."""
    q, k = query.double().unsqueeze(-2), key.double().unsqueeze(-3)
    lengths = q.square().sum(-1) + k.square().sum(-1)
    return ((lengths - (q - k).square().sum(-1)) / 2).to(query.dtype)


def scores_feature_by_feature(query: Any, key: Any) -> Any:
    products = (q[..., :, None] * k[..., None, :]
                for q, k in zip(query.unbind(-1), key.unbind(-1), strict=True))  # fmt: skip
    return sum(products)


def scores_column_by_column(query: Any, key: Any) -> Any:
    return torch.stack([torch.linalg.vecdot(query, k.unsqueeze(-2)) for k in key.unbind(-2)], -1)


def projected_at_once(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    sizes = [w.shape[1] for w in (w_q, w_k, w_v)]
    all_three = torch.cat([w_q, w_k, w_v], dim=1)
    asked = (x @ all_three).split(sizes, -1)
    read = asked if context is None else (context @ all_three).split(sizes, -1)
    return asked[0], read[1], read[2]


def projected_by_tensordot(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    read = context if context is not None else x
    return tuple(map(lambda rows, w: torch.tensordot(rows, w, 1), (x, read, read), (w_q, w_k, w_v)))


# -- loops -----------------------------------------------------------------------------------------


def loops_from_a_finite_start(query: Any, key: Any, value: Any) -> Any:
    """Start the running maximum at a number below all that the task allows."""
    output = np.zeros((query.shape[0], value.shape[1]))
    for t in range(query.shape[0]):
        top, total = -5e4, 0.0
        for s in range(key.shape[0]):
            score = sum(query[t, d] * key[s, d] for d in range(query.shape[1]))
            score /= math.sqrt(query.shape[1])
            new = max(top, score)
            old, power = math.exp(top - new), math.exp(score - new)
            total = total * old + power
            output[t] = output[t] * old + power * value[s]
            top = new
        output[t] /= total
    return output


def loops_in_lists(query: Any, key: Any, value: Any) -> Any:
    """Use no NumPy between the lists that go in and the array that comes out."""
    queries, keys, values = query.tolist(), key.tolist(), value.tolist()
    root, output = math.sqrt(len(queries[0])), []
    for q in queries:
        scores = [math.fsum(a * b for a, b in zip(q, k, strict=True)) / root for k in keys]
        powers = [math.exp(score - max(scores)) for score in scores]
        columns = zip(*values, strict=True)
        mixed = [
            math.fsum(p * v for p, v in zip(powers, column, strict=True)) for column in columns
        ]
        output.append([number / math.fsum(powers) for number in mixed])
    return np.array(output)


def loops_in_long_doubles(query: Any, key: Any, value: Any) -> Any:
    wide = np.longdouble
    output = np.zeros((len(query), value.shape[1]), dtype=wide)
    for t, q in enumerate(query.astype(wide)):
        scores = [(q * k).sum() / np.sqrt(wide(len(q))) for k in key.astype(wide)]
        powers = [np.exp(score - max(scores)) for score in scores]
        for power, v in zip(powers, value, strict=True):
            output[t] += power / sum(powers) * v
    return output.astype(np.float64)


def loops_by_ratios(query: Any, key: Any, value: Any) -> Any:
    """Give each key 1 / Σ e^(other − own), where a difference above 700 ends the sum."""
    output = np.zeros((len(query), value.shape[1]))
    for t, q in enumerate(query):
        scores = [float((q * k).sum()) / len(q) ** 0.5 for k in key]
        for score, v in zip(scores, value, strict=True):
            gaps = [other - score for other in scores]
            if max(gaps) < 700:
                output[t] += v / sum(map(math.exp, gaps))
    return output


# -- scale, entropy --------------------------------------------------------------------------------


def scale_by_exponents(
    head_dim: float, query_pre_attn_scalar: Any = None, yarn_factor: Any = None
) -> Any:
    size = head_dim if query_pre_attn_scalar is None else query_pre_attn_scalar
    sharper = math.log1p(0 if yarn_factor is None else 0.1 * math.log(yarn_factor))
    return math.exp(2 * sharper - math.log(size) / 2)


def scale_in_numpy(
    head_dim: float, query_pre_attn_scalar: Any = None, yarn_factor: Any = None
) -> Any:
    size = np.float64(query_pre_attn_scalar or head_dim)
    return (1 + np.log(yarn_factor or 1) / 10) ** 2 / np.sqrt(size)


def scale_of_fractions(
    head_dim: float, query_pre_attn_scalar: Any = None, yarn_factor: Any = None
) -> Any:
    size = Fraction(query_pre_attn_scalar or head_dim)
    sharper = (
        Fraction(1) if yarn_factor is None else (Fraction(math.log(yarn_factor)) / 10 + 1) ** 2
    )
    return float(sharper) * math.sqrt(Fraction(1) / size)


def entropy_by_xlogy(scores: Any) -> Any:
    weights = scores.softmax(-1)
    return -torch.special.xlogy(weights, weights).sum(-1)


def entropy_by_entr(scores: Any) -> Any:
    return torch.special.entr(torch.softmax(scores, dim=-1)).sum(dim=-1)


def entropy_cleaned_behind(scores: Any) -> Any:
    """Clean 0 · (−∞) behind the product: where a weight is 0, no gradient is asked for."""
    weights = scores.softmax(-1)
    return -(weights * weights.log()).nan_to_num(0.0).sum(-1)


def entropy_of_torch(scores: Any) -> Any:
    return torch.distributions.Categorical(logits=scores).entropy()


def entropy_of_gaps(scores: Any) -> Any:
    """Take log Σ e^(z − max) less the mean of z − max."""
    gaps = scores - scores.amax(-1, keepdim=True)
    powers = gaps.exp()
    total = powers.sum(-1)
    return total.log() - (powers * gaps).sum(-1) / total


def entropy_where_positive(scores: Any) -> Any:
    weights = scores.softmax(-1)
    safe = torch.where(weights > 0, weights, torch.ones_like(weights))
    return -(weights * safe.log()).sum(-1)


# -- patterns and measures -------------------------------------------------------------------------


def qk_by_distance(pattern: str, T: int) -> Any:
    """Score −c (k − r)², written as a product of three numbers a row."""
    places = torch.arange(T, dtype=torch.float64)
    key = torch.stack([places**2, places, torch.ones(T)], -1)
    if pattern == "average":
        return torch.zeros(T, 3, dtype=torch.float64), key
    read = {"identity": places, "previous token": (places - 1).clamp(min=0)}
    wanted = read.get(pattern, 0 * places)
    return -40 * torch.stack([torch.ones(T), -2 * wanted, wanted**2], -1), key


def qk_of_random_directions(pattern: str, T: int) -> Any:
    """Let keys be rows of a random rotation: they are as much apart as the axes."""
    generator = torch.Generator().manual_seed(5)
    key = torch.linalg.qr(torch.randn(T, T, generator=generator))[0]
    places = torch.arange(T)
    read = {"identity": places, "previous token": (places - 1).clamp(min=0)}
    if pattern == "average":
        return torch.zeros(T, T), key
    return 60 * key[read.get(pattern, 0 * places)], key


def variance_with_n_below(D: int, n: int, generator: Any, scale: float) -> float:
    query, key = torch.randn(2, n, D, generator=generator)
    return float(np.var((scale * query * key).sum(-1).numpy(), ddof=0))


def variance_of_running_sums(D: int, n: int, generator: Any, scale: float) -> float:
    """Add up the products one component at a time, and never hold n × D numbers."""
    scores = torch.zeros(n, dtype=torch.float64)
    for _ in range(D):
        query, key = torch.randn(2, n, generator=generator, dtype=torch.float64)
        scores += scale * query * key
    return scores.var(correction=0).item()


def saturation_in_batches(D: int, S: int, scale: float, trials: int, generator: Any) -> float:
    best = []
    for start in range(0, trials, 97):
        size = min(97, trials - start)
        query = torch.empty(size, D).normal_(generator=generator)
        key = torch.empty(size, S, D).normal_(generator=generator)
        scores = torch.einsum("nd,nsd->ns", query, key).mul_(scale)
        best.append((scores.amax(-1) - scores.logsumexp(-1)).exp())
    return float(torch.cat(best).mean())


def spread_by_bmm(S: int, n: int, generator: Any) -> float:
    value = torch.randn(n, S, 1, generator=generator)
    weights = torch.full((n, 1, S), 1 / S)
    return float(np.std(torch.bmm(weights, value).flatten().numpy()))


def share_from_what_is_missing(S: int, sink: float, n: int, generator: Any) -> Any:
    scores = torch.randn(n, S, generator=generator)
    kept = scores.exp().sum(-1)
    return (1 - kept / (kept + math.exp(sink))).mean()


# -- warm-ups --------------------------------------------------------------------------------------


def scaled_by_rsqrt(scores: Any, head_dim: int) -> Any:
    return scores.mul(torch.tensor(float(head_dim), dtype=scores.dtype).rsqrt())


def attended_as_a_batch_of_one(query: Any, key: Any, value: Any) -> Any:
    return F.scaled_dot_product_attention(query[None], key, value)[0]


def summed_by_bmm(weights: Any, value: Any) -> Any:
    flat = torch.bmm(weights.reshape(-1, *weights.shape[-2:]), value.reshape(-1, *value.shape[-2:]))
    return flat.reshape(*weights.shape[:-1], value.shape[-1])


def summed_key_by_key(weights: Any, value: Any) -> Any:
    return sum(w.unsqueeze(-1) * v.unsqueeze(-2)
               for w, v in zip(weights.unbind(-1), value.unbind(-2), strict=True))  # fmt: skip


def shapes_of_real_tensors(T: int, S: int, D: int, Dv: int) -> Any:
    weights = torch.zeros(T, D) @ torch.zeros(S, D).mT
    return weights.shape, (weights @ torch.zeros(S, Dv)).shape


def lookup_by_powers(scores: Any, temperature: float) -> Any:
    """Take the weights at temperature 1 to the power of 1/temperature, and share out again."""
    logs = scores.log_softmax(-1) / temperature
    return (logs - logs.logsumexp(-1, keepdim=True)).exp()


def stepped_by_linear_layers(x: Any, h: Any, w_x: Any, w_h: Any) -> Any:
    return torch.tanh(F.linear(x, w_x.mT) + F.linear(h, w_h.mT))
