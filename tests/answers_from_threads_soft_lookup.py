"""Wrong answers to the tasks of soft lookup, made anew from what public threads describe.

Each is written as a learner would write it after that mistake. Which thread, and what the check has
to say, stands in the table of `test_answers_from_threads_soft_lookup.py`.
"""

import math
from typing import Any

import torch

# -- hard_lookup -----------------------------------------------------------------------------------


def by_products(query: Any, keys: Any, values: Any) -> Any:
    return values[torch.argmin(-torch.einsum("td,sd->ts", query, keys), dim=-1)]


def farthest(query: Any, keys: Any, values: Any) -> Any:
    distances = torch.cdist(query, keys)
    return values[distances.topk(1, dim=-1).indices[:, 0]]


def lengths_added_place_by_place(query: Any, keys: Any, values: Any) -> Any:
    lengths = (keys**2).sum(1) + (query**2).sum(1)
    return values[(lengths - 2 * query @ keys.T).argmin(1)]


def one_to_one(query: Any, keys: Any, values: Any) -> Any:
    return values[((query - keys) ** 2).sum(-1).argmin(-1)]


# -- soft_lookup -----------------------------------------------------------------------------------


def _squares(query: Any, keys: Any) -> Any:
    return (query.unsqueeze(1) - keys.unsqueeze(0)).pow(2).sum(-1)


def without_the_minus(query: Any, keys: Any, values: Any, temperature: float) -> Any:
    return torch.softmax(_squares(query, keys) / temperature, -1) @ values


def weight_for_temperature(query: Any, keys: Any, values: Any, temperature: float) -> Any:
    return torch.softmax(-_squares(query, keys) * temperature, -1) @ values


def a_hundredth(query: Any, keys: Any, values: Any, temperature: float) -> Any:
    return torch.softmax(-0.01 * _squares(query, keys), -1) @ values


def maximum_multiplied(query: Any, keys: Any, values: Any, temperature: float) -> Any:
    scores = -_squares(query, keys) / temperature
    scores = scores * scores.max(-1, keepdim=True).values
    return torch.softmax(scores, -1) @ values


# -- kernel_regression -----------------------------------------------------------------------------


def _mean(kernel: Any, y: Any) -> Any:
    return (kernel * y).sum(-1) / kernel.sum(-1)


def bandwidth_not_squared(xq: Any, xk: Any, y: Any, width: float) -> Any:
    distance = (xq[:, None] - xk).abs()
    return _mean(torch.exp(-(distance * distance) / width), y)


def length_scale_not_squared(xq: Any, xk: Any, y: Any, width: float) -> Any:
    return torch.softmax(-(1 / (2 * width)) * (xq[:, None] - xk) ** 2, -1) @ y


def parenthesis_forgotten(xq: Any, xk: Any, y: Any, width: float) -> Any:
    return torch.softmax(-((xq[:, None] - xk) ** 2) / 2 * width**2, -1) @ y


def distance_not_squared(xq: Any, xk: Any, y: Any, width: float) -> Any:
    distance = ((xq[:, None] - xk) ** 2).clamp(min=1e-30).sqrt()
    return torch.softmax(-distance / (2 * width**2), -1) @ y


def all_kernels_zero(xq: Any, xk: Any, y: Any, width: float) -> Any:
    return _mean(torch.exp(-0.5 * ((xq[:, None] - xk) / width) ** 2), y)


def square_around_the_minus(xq: Any, xk: Any, y: Any, width: float) -> Any:
    return torch.softmax((-0.5 * (xq[:, None] - xk) / width) ** 2, -1) @ y


# -- curve_error -----------------------------------------------------------------------------------


def _errors(S: int, width: float, n: int, generator: Any) -> Any:
    x = torch.rand(n, S, generator=generator, dtype=torch.float64)
    noise = torch.randn(n, S, generator=generator, dtype=torch.float64)
    shares = torch.softmax(-((x - 0.25) ** 2) / (2 * width**2), -1)
    return (shares * (torch.sin(2 * math.pi * x) + 0.5 * noise)).sum(-1) - 1


def square_of_the_mean(S: int, width: float, n: int, generator: Any) -> float:
    return float(_errors(S, width, n, generator).mean() ** 2)


def mean_of_roots(S: int, width: float, n: int, generator: Any) -> float:
    return float((_errors(S, width, n, generator) ** 2).sqrt().mean())


# -- additive_scores -------------------------------------------------------------------------------


def no_activation(query: Any, key: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    T, S = query.shape[-2], key.shape[-2]
    asked = query.unsqueeze(-2).expand(*query.shape[:-1], S, query.shape[-1])
    offered = key.unsqueeze(-3).expand(*key.shape[:-2], T, S, key.shape[-1])
    return torch.cat([asked, offered], -1) @ torch.cat([w_q, w_k]) @ v


def repeated_in_the_wrong_order(query: Any, key: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    T, S = query.shape[-2], key.shape[-2]
    order = torch.arange(T).repeat(S).reshape(T, S)
    asked = (query @ w_q)[..., order, :]
    return torch.tanh(asked + (key @ w_k).unsqueeze(-3)) @ v


def keys_not_asked(query: Any, key: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    scores = torch.tanh(query @ w_q) @ v
    return scores.unsqueeze(-1) + 0 * key.sum(-1).unsqueeze(-2)


def joined_along_an_axis_that_differs(query: Any, key: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    return torch.tanh(torch.cat([query, key], -1) @ torch.cat([w_q, w_k])) @ v


# -- align_step ------------------------------------------------------------------------------------


def _scores(state: Any, encoded: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    return torch.tanh((state @ w_q).unsqueeze(1) + encoded @ w_k) @ v


def _context(weights: Any, encoded: Any) -> Any:
    return torch.bmm(weights.unsqueeze(1), encoded).squeeze(1)


def _tokens(encoded: Any, lengths: Any) -> Any:
    return (torch.arange(encoded.shape[1]) < lengths.unsqueeze(1)).to(encoded.dtype)


def no_mask(state: Any, encoded: Any, lengths: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    weights = torch.softmax(_scores(state, encoded, w_q, w_k, v), -1)
    return _context(weights, encoded), weights


def outputs_masked_instead(
    state: Any, encoded: Any, lengths: Any, w_q: Any, w_k: Any, v: Any
) -> Any:
    scores = _scores(state, encoded, w_q, w_k, v) * _tokens(encoded, lengths)
    weights = torch.softmax(scores, -1)
    return _context(weights, encoded), weights


def shared_out_again(state: Any, encoded: Any, lengths: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    weights = torch.softmax(_scores(state, encoded, w_q, w_k, v), -1) * _tokens(encoded, lengths)
    weights = weights / weights.sum(-1, keepdim=True)
    return _context(weights, encoded), weights


def states_of_zero(state: Any, encoded: Any, lengths: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    encoded = encoded * _tokens(encoded, lengths).unsqueeze(-1)
    weights = torch.softmax(_scores(state, encoded, w_q, w_k, v), -1)
    return _context(weights, encoded), weights


def over_the_batch(state: Any, encoded: Any, lengths: Any, w_q: Any, w_k: Any, v: Any) -> Any:
    is_token = _tokens(encoded, lengths) > 0
    scores = _scores(state, encoded, w_q, w_k, v).masked_fill(~is_token, -1e9)
    weights = torch.softmax(scores, 0) * is_token
    return _context(weights, encoded), weights
