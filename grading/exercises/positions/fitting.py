"""Inputs that were cut down, made to be turned and permuted again."""

from __future__ import annotations

import numpy as np

from grading.observation.values import Array, Inputs

__all__ = ["even_heads", "even_rows", "ordered"]


def even_rows(inputs: Inputs) -> Inputs:
    """Return inputs whose rows have an even number of entries, so that each has a partner."""
    held = dict(inputs)
    for name in ("x", "query", "key"):
        value = held.get(name)
        if isinstance(value, Array) and value.numbers is not None and value.shape[-1] % 2:
            held[name] = value.holding(value.numbers[..., :-1])
    if isinstance(frequencies := held.get("inv_freq"), Array):
        pairs = held["query"].shape[-1] // 2
        assert frequencies.numbers is not None
        held["inv_freq"] = frequencies.holding(frequencies.numbers[:pairs])
    return held


def ordered(inputs: Inputs) -> Inputs:
    """Return inputs whose perm is a permutation again: the numbers' places in their order."""
    perm = inputs["perm"]
    places = np.argsort(np.argsort(perm.numbers, kind="stable"), kind="stable")
    return {**inputs, "perm": perm.holding(places.astype(np.int64))}


def even_heads(inputs: Inputs) -> Inputs:
    """Return inputs with as many heads of an even size as the matrices' columns allow."""
    columns = inputs["w_q"].shape[-1]
    columns -= columns % 2
    fewer = max(one for one in range(1, inputs["H"] + 1) if one == 1 or columns % (2 * one) == 0)
    matrices = {
        name: inputs[name].holding(inputs[name].numbers[:, :columns])
        for name in ("w_q", "w_k", "w_v")
    }
    return {**inputs, **matrices, "H": fewer}
