"""Weights on what an expert reads: the experts bend, so that is not a weight on what they give."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.experts.mixture import gated_moe_forward
from course_lib.experts.routed import require_routed
from course_lib.experts.router import choose
from course_lib.kinds import require_same_dtype
from course_lib.precision import at_least_float32
from course_lib.shapes import require_projection

__all__ = ["each_its_gate", "input_weighted_moe_forward"]


def each_its_gate(
    x: Float[Tensor, "*batch C"], w_gate: Float[Tensor, "C E"], A: int
) -> tuple[Int[Tensor, "*batch A"], Float[Tensor, "*batch A"]]:
    r"""Choose the A largest logits, and open the gate of each by itself.

    .. math:: z = x W_{gate}, \qquad i_1 \dots i_A = \operatorname{top}_A (z), \qquad
        w_a = \sigma(z_{i_a})

    Nothing is divided by a sum, so even with A = 1 the weight says how sure the router is, and its
    gradient reaches the router.

    Args:
        x: one vector per token.
        w_gate: one column per expert.
        A: experts that a token uses.

    Returns:
        The chosen experts, and their weights, each between 0 and 1, in the dtype of x; both are
        computed in at least float32. NaN in a token makes its own weights NaN.

    Raises:
        ValueError: if w_gate has not one row per entry of x, or A is above E.

    Source: Llama 4, as in transformers' Llama4Router, whose released models have A = 1.
    Cost: 2 C E FLOPs a token.
    """
    require_projection("x", x, "w_gate", w_gate)
    logits = at_least_float32(x) @ at_least_float32(w_gate)
    experts = choose(logits, A)
    return experts, torch.sigmoid(logits.gather(-1, experts)).to(x.dtype)


def input_weighted_moe_forward(
    x: Float[Tensor, "*batch T C"],
    experts: Int[Tensor, "*batch T A"],
    weights: Float[Tensor, "*batch T A"],
    w_gate: Float[Tensor, "E C F"],
    w_up: Float[Tensor, "E C F"],
    w_down: Float[Tensor, "E F C"],
) -> Float[Tensor, "*batch T C"]:
    r"""Multiply a token by its weight before it passes through each of its A experts.

    .. math:: y_t = \sum_a \big(\mathrm{SiLU}(w_{ta}\, x_t G_{e}) \odot w_{ta}\, x_t U_{e}\big)
        D_{e}, \qquad e = i_{ta}

    Args:
        x: one vector per token.
        experts: which experts each token uses, from ``each_its_gate``.
        weights: how much of the token each is given.
        w_gate: G, one matrix per expert.
        w_up: U, one matrix per expert.
        w_down: D, one matrix per expert.

    Returns:
        One vector per token; with weights of 1 it is ``gated_moe_forward``. NaN in a token stays
        there.

    Raises:
        ValueError: if an expert does not exist, or sizes or dtypes do not fit.

    Source: Llama 4, as in transformers' Llama4TextMoe.
    Cost: 6 A C F FLOPs a token.
    """
    require_routed(x, experts, weights)
    require_same_dtype(x=x, weights=weights)
    shares = (weights.unsqueeze(-1) * x.unsqueeze(-2)).flatten(-3, -2)  # T A, one after the other
    chosen = experts.flatten(-2).unsqueeze(-1)
    whole = torch.ones_like(chosen, dtype=x.dtype)
    given = gated_moe_forward(shares, chosen, whole, w_gate, w_up, w_down)
    return torch.unflatten(given, -2, weights.shape[-2:]).sum(-2)
