"""Right answers to the tasks of soft lookup in styles that few write: each has to be accepted."""

import math
from typing import Any

import torch


def hard_by_sorting(query: Any, keys: Any, values: Any) -> Any:
    order = (query[:, None] - keys).square().sum(-1).argsort(dim=-1, stable=True)
    return values.index_select(0, order[:, 0])


def hard_by_bmm(query: Any, keys: Any, values: Any) -> Any:
    differences = query[:, None] - keys
    squares = torch.bmm(differences.flatten(0, 1)[:, None], differences.flatten(0, 1)[..., None])
    return values[squares.reshape(len(query), len(keys)).min(1)[1]]


def soft_by_halves(query: Any, keys: Any, values: Any, temperature: float) -> Any:
    """Mix the first keys and the others by themselves, and merge the two by their sums."""
    scores = -(query[:, None] - keys).square().sum(-1) / temperature
    parts = [(scores[:, :1], values[:1]), (scores[:, 1:], values[1:])]
    sums = torch.stack([z.logsumexp(-1) for z, _ in parts], -1).softmax(-1)
    mixtures = torch.stack([z.softmax(-1) @ v for z, v in parts], 1)
    return (sums[..., None] * mixtures).sum(1)


def soft_by_vmap(query: Any, keys: Any, values: Any, temperature: float) -> Any:
    def of_one(q: Any) -> Any:
        scores = -((keys - q) ** 2).sum(1) / temperature
        return torch.softmax(scores, 0) @ values

    return torch.func.vmap(of_one)(query)


def soft_of_gaps(query: Any, keys: Any, values: Any, temperature: float) -> Any:
    """Subtract the nearest key's distance, whose exponential is then 1."""
    distances = (query[:, None] - keys).square().sum(-1)
    powers = torch.exp((distances.amin(-1, keepdim=True) - distances) / temperature)
    return powers @ values / powers.sum(-1, keepdim=True)


def curve_by_ratios(xq: Any, xk: Any, y: Any, width: float) -> Any:
    """Divide 1 by the sum of exponentials of differences: an infinite sum gives 0."""
    scores = -(((xq[:, None] - xk) / width) ** 2) / 2
    ratios = (scores[:, None] - scores[..., None]).clamp(max=700).exp().sum(-1)
    return (y / ratios).sum(-1)


def curve_by_normal_densities(xq: Any, xk: Any, y: Any, width: float) -> Any:
    logs = -(((xq[:, None] - xk) / width) ** 2) / 2 - math.log(width * math.sqrt(2 * math.pi))
    return torch.exp(logs - logs.logsumexp(1, keepdim=True)) @ y


def error_by_welford(S: int, width: float, n: int, generator: Any) -> float:
    mean = 0.0
    for count in range(1, n + 1):
        x = torch.empty(S, dtype=torch.float64).uniform_(0, 1, generator=generator)
        y = torch.empty(S, dtype=torch.float64).normal_(0, 0.5, generator=generator)
        y += (2 * math.pi * x).sin()
        shares = torch.softmax(-((4 * x - 1) ** 2) / (32 * width**2), 0)
        mean += ((float(shares @ y) - 1) ** 2 - mean) / count
    return mean


def added_by_exponentials(query: Any, key: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    """Use tanh(x) = 2 sigmoid(2x) − 1."""
    hidden = torch.sigmoid(2 * ((query @ w_q)[..., None, :] + (key @ w_k)[..., None, :, :]))
    return 2 * hidden @ v - v.sum()


def added_unit_by_unit(query: Any, key: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    units = zip((query @ w_q).unbind(-1), (key @ w_k).unbind(-1), v, strict=True)
    return sum(weight * torch.tanh(q[..., None] + k[..., None, :]) for q, k, weight in units)


def aligned_by_logarithms(
    state: Any, encoded: Any, lengths: Any, w_q: Any, w_k: Any, v: Any
) -> Any:
    is_token = torch.arange(encoded.shape[1]).expand(encoded.shape[:2]) < lengths[:, None]
    scores = torch.tanh((state @ w_q)[:, None] + encoded @ w_k) @ v
    scores = scores + torch.where(is_token, 0.0, -1e9).to(scores.dtype)
    weights = (scores - scores.logsumexp(-1, keepdim=True)).exp() * is_token
    return (weights[..., None] * encoded).sum(1), weights


def aligned_in_a_list(state: Any, encoded: Any, lengths: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    weights = torch.zeros_like(encoded[..., 0])
    for b, length in enumerate(lengths):
        scores = torch.tanh(state[b] @ w_q + encoded[b, :length] @ w_k) @ v
        weights[b, :length] = scores.softmax(0)
    return [torch.einsum("bs,bsn->bn", weights, encoded), weights]
