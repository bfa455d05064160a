"""Inputs whose widths were cut down, made to be cut into heads again."""

from __future__ import annotations

import math

from grading.observation.values import Array, Inputs

__all__ = ["whole_heads"]

#: The arguments whose last axis, or first one of w_o, is shared out among the heads.
LAST, FIRST = ("w_q", "w_k", "w_v"), ("w_o",)


def whole_heads(inputs: Inputs) -> Inputs:
    """Return inputs with as many heads as divide every width, and no more than there were."""
    widths = [value.shape[-1] for name in LAST if isinstance(value := inputs.get(name), Array)]
    widths += [value.shape[0] for name in FIRST if isinstance(value := inputs.get(name), Array)]
    if not widths:
        widths = [inputs["x"].shape[-1]]
    common = math.gcd(*widths)
    possible = [one for one in range(1, inputs["H"] + 1) if common % one == 0]
    # Who cuts the rows of x, before they are projected, needs as many parts of these.
    x = inputs["x"]
    even = [one for one in possible if one > 1 and x.shape[-1] % one == 0]
    fewer = max(even or possible)
    head = {"h": min(inputs["h"], fewer - 1)} if "h" in inputs else {}
    return {**inputs, "H": fewer, **head}
