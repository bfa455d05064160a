"""Inputs that were cut down, made to obey their contracts again."""

from __future__ import annotations

import math

import numpy as np

from grading.observation.values import Array, Inputs

__all__ = ["known_ids", "whole_heads"]

#: The arguments whose last axis, or first one of w_o, is shared out among the heads.
LAST, FIRST = ("w_q", "w_k", "w_v"), ("w_o",)


def whole_heads(inputs: Inputs) -> Inputs:
    """Return inputs with as many heads as divide every width, and no more than there were."""
    widths = [value.shape[-1] for name in LAST if isinstance(value := inputs.get(name), Array)]
    widths += [value.shape[0] for name in FIRST if isinstance(value := inputs.get(name), Array)]
    common = math.gcd(*widths)
    return {**inputs, "H": max(one for one in range(1, inputs["H"] + 1) if common % one == 0)}


def known_ids(inputs: Inputs) -> Inputs:
    """Return inputs whose ids have a row in the table, and whose lengths fit the sources."""
    V = inputs["table"].shape[0]
    source, target, lengths = (inputs[name] for name in ("source", "target", "source_lengths"))
    S = source.shape[-1]
    return {
        **inputs,
        "source": source.holding(source.numbers % V),
        "target": target.holding(target.numbers % V),
        "source_lengths": lengths.holding(np.minimum(lengths.numbers, S)),
        "start_id": inputs["start_id"] % V,
    }
