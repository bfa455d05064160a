"""Multi-head latent attention, one head and one number at a time."""

import math

import numpy as np
from jaxtyping import Bool, Float64

from course_lib.naive.attention.heads import split_heads
from course_lib.naive.layers.affine import affine
from course_lib.naive.layers.norms import rms_norm
from course_lib.naive.positions.rotation_table import rotate_by_table
from course_lib.naive.softmax import masked_softmax

__all__ = [
    "compress",
    "latent_attention",
    "latent_attention_absorbed",
    "latent_keys",
    "latent_queries",
]

Rows = Float64[np.ndarray, "_ _"]
Heads = Float64[np.ndarray, "H T _"]
Parameters = dict[str, np.ndarray]
Table = tuple[Float64[np.ndarray, "T _"], Float64[np.ndarray, "T _"]]
Mask = Bool[np.ndarray, "T S"]


def compress(
    x: Rows, w_down: Float64[np.ndarray, "C _"], g: Float64[np.ndarray, " _"], eps: float
) -> Rows:
    """Project, then divide each row by the root of its mean square, then multiply by the gain."""
    return np.array([rms_norm(row, g, eps) for row in affine(x, w_down)])


def latent_keys(
    x: Rows,
    parameters: Parameters,
    table: Table,
    eps: float,
) -> tuple[Rows, Rows]:
    """The normalised latent vectors, and the rotated keys, one for all heads."""
    latent = compress(x, parameters["w_dkv"], parameters["g_kv"], eps)
    return latent, rotate_by_table(affine(x, parameters["w_kr"]), table)


def latent_queries(
    x: Rows,
    w_q: Float64[np.ndarray, "C _"],
    w_qr: Float64[np.ndarray, "C _"],
    num_heads: int,
    table: Table,
) -> tuple[Heads, Heads]:
    """Of each head a query, and one that is rotated."""
    query = split_heads(affine(x, w_q), num_heads)
    rotary = split_heads(affine(x, w_qr), num_heads)
    return query, np.array([rotate_by_table(head, table) for head in rotary])


def latent_attention(
    query: Heads,
    rotary_query: Heads,
    latent: Rows,
    rotary_key: Rows,
    parameters: Parameters,
    may_attend: Mask | None = None,
) -> Heads:
    """For each head: its keys, its values, its scores, its softmax, its means."""
    num_heads, num_queries, head_dim = query.shape
    keys = split_heads(affine(latent, parameters["w_uk"]), num_heads)
    values = split_heads(affine(latent, parameters["w_uv"]), num_heads)
    output = np.zeros((num_heads, num_queries, values.shape[2]))
    for h in range(num_heads):
        scores = _products(query[h], keys[h]) + _products(rotary_query[h], rotary_key)
        weights = _weights(scores, head_dim + rotary_key.shape[1], may_attend)
        output[h] = affine(weights, values[h])
    return output


def latent_attention_absorbed(
    query: Heads,
    rotary_query: Heads,
    latent: Rows,
    rotary_key: Rows,
    parameters: Parameters,
    may_attend: Mask | None = None,
) -> Heads:
    """For each head: its query among the latent vectors, their means, and only then its values."""
    num_heads, num_queries, head_dim = query.shape
    value_dim = parameters["w_uv"].shape[1] // num_heads
    output = np.zeros((num_heads, num_queries, value_dim))
    for h in range(num_heads):
        up_key = parameters["w_uk"][:, h * head_dim : (h + 1) * head_dim]
        up_value = parameters["w_uv"][:, h * value_dim : (h + 1) * value_dim]
        absorbed = _products(query[h], up_key)
        scores = _products(absorbed, latent) + _products(rotary_query[h], rotary_key)
        weights = _weights(scores, head_dim + rotary_key.shape[1], may_attend)
        output[h] = affine(affine(weights, latent), up_value)
    return output


def _weights(scores: Rows, size: int, may_attend: Mask | None) -> Rows:
    if may_attend is None:
        may_attend = np.ones(scores.shape, dtype=bool)
    return masked_softmax(scores / math.sqrt(size), may_attend)


def _products(rows: Rows, others: Rows) -> Rows:
    result = np.zeros((len(rows), len(others)))
    for t in range(len(rows)):
        for s in range(len(others)):
            for d in range(rows.shape[1]):
                result[t, s] += rows[t, d] * others[s, d]
    return result
