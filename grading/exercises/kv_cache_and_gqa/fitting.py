"""Inputs that were cut down, made to obey their contracts again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from grading.exercises.shared.fitting import shares
from grading.observation.values import Array, Inputs

__all__ = ["drafted", "even_halves", "grouped", "latent_heads", "whole_groups"]


def even_halves(inputs: Inputs) -> Inputs:
    """Return inputs whose queries and keys have an even number of entries: each has a partner."""
    held = dict(inputs)
    for name in ("query", "key_new", "key_cache"):
        value = held[name]
        if value.shape[-1] % 2:
            held[name] = value.holding(value.numbers[..., :-1])
    return held


def grouped(inputs: Inputs) -> Inputs:
    """Return inputs in which the key heads divide the query heads, and the mask has their heads."""
    held = dict(inputs)
    H, G = held["query"].shape[1], held["key"].shape[1]
    G = min(G, H)
    H = H // G * G
    held["query"] = held["query"].holding(held["query"].numbers[:, :H])
    for name in ("key", "value"):
        held[name] = held[name].holding(held[name].numbers[:, :G])
    may = held.get("may_attend")
    if isinstance(may, Array) and may.ndim == 4 and may.shape[1] > 1:
        held["may_attend"] = may.holding(_some(may)[:, :H])
    return held


def _some(value: Array) -> Any:
    assert value.numbers is not None
    return value.numbers


def whole_groups(inputs: Inputs) -> Inputs:
    """Return a projection whose columns the heads share out, into groups that divide the heads."""
    columns = inputs["w_k"].shape[-1]
    H = max(one for one in range(1, inputs["H"] + 1) if columns % one == 0)
    G = max(one for one in range(1, min(inputs["G"], H) + 1) if H % one == 0)
    return {**inputs, "G": G, "H": H}


def latent_heads(inputs: Inputs) -> Inputs:
    """Return inputs with as many heads as divide every width, and rotations of whole pairs."""
    held = dict(inputs)
    widths = [held[name].shape[-1] for name in ("w_q", "w_qr", "w_uv")]
    H = max(one for one in range(1, held["H"] + 1) if math.gcd(*widths) % one == 0)
    Dr = min(held["w_kr"].shape[-1], held["w_qr"].shape[-1] // H) // 2 * 2 or 2
    D = min(held["w_q"].shape[-1], held["w_uk"].shape[-1]) // H * H
    Dv = min(held["w_uv"].shape[-1], held["w_o"].shape[0]) // H * H
    wanted = {"w_q": D, "w_uk": D, "w_qr": H * Dr, "w_kr": Dr, "w_uv": Dv}
    for name, columns in wanted.items():
        held[name] = held[name].holding(_some(held[name])[:, :columns])
    held["w_o"] = held["w_o"].holding(_some(held["w_o"])[:Dv])
    return {**held, "H": H}


def drafted(inputs: Inputs) -> Inputs:
    """Return distributions that sum to 1, one more of the target's, and tokens that exist."""
    n = max(1, min(inputs["draft_probs"].shape[0], inputs["target_probs"].shape[0] - 1))
    draft = inputs["draft_probs"].holding(_some(inputs["draft_probs"])[:n])
    rows, uniform = (_some(inputs[name]) for name in ("target_probs", "uniform"))
    places = np.minimum(np.arange(n + 1), len(rows) - 1)  # a last row is there twice
    target = inputs["target_probs"].holding(rows[places])
    tokens = _some(inputs["draft"])[:n] % draft.shape[-1]
    uniform = np.clip(uniform[places], 0.0, 0.99)
    return {
        "draft_probs": shares(draft, -1), "target_probs": shares(target, -1),
        "draft": inputs["draft"].holding(tokens), "uniform": inputs["uniform"].holding(uniform),
    }  # fmt: skip
