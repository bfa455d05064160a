"""Runs of keys, cut off one after another; a shared beginning, copied before each sequence."""

import math

import numpy as np
from jaxtyping import Float64

from course_lib.naive.exact.blockwise import blockwise_attention

__all__ = ["shared_prefix_attention", "split_kv"]


def split_kv(
    query: Float64[np.ndarray, "H T D"],
    key: Float64[np.ndarray, "G S D"],
    value: Float64[np.ndarray, "G S Dv"],
    splits: int,
) -> tuple[Float64[np.ndarray, "_ H T Dv"], Float64[np.ndarray, "_ H T"]]:
    """Cut off as many keys as a run has, until none is left."""
    run = math.ceil(key.shape[1] / splits)
    outputs, lses = [], []
    for _ in range(splits):
        output, lse = blockwise_attention(query, key[:, :run], value[:, :run], False)
        outputs.append(output)
        lses.append(lse)
        key, value = key[:, run:], value[:, run:]
    return np.stack(outputs), np.stack(lses)


def shared_prefix_attention(
    query: Float64[np.ndarray, "B H T D"],
    prefix: tuple[Float64[np.ndarray, "G _ D"], Float64[np.ndarray, "G _ Dv"]],
    key: Float64[np.ndarray, "B G S D"],
    value: Float64[np.ndarray, "B G S Dv"],
) -> Float64[np.ndarray, "B H T Dv"]:
    """The prefix stands before the keys of every sequence; then causal attention."""
    outputs = []
    for b in range(len(query)):
        keys = np.concatenate([prefix[0], key[b]], axis=1)
        values = np.concatenate([prefix[1], value[b]], axis=1)
        outputs.append(blockwise_attention(query[b], keys, values, True)[0])
    return np.stack(outputs)
