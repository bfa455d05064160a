"""Experts that choose their tokens: balanced by construction, and not causal."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.experts.mixture import grouped_matmul
from course_lib.experts.router import choose
from course_lib.kinds import require_floats, require_integers, require_same_device
from course_lib.layers.activations import silu
from course_lib.precision import at_least_float32
from course_lib.shapes import require_projection
from course_lib.sizes import require_positive
from course_lib.softmax import softmax

__all__ = ["expert_choice", "expert_choice_forward"]


def expert_choice(
    x: Float[Tensor, "T C"], w_gate: Float[Tensor, "C E"], capacity: int
) -> tuple[Int[Tensor, "E _"], Float[Tensor, "E _"]]:
    r"""Let each expert choose its tokens.

    .. math:: S = \mathrm{softmax}_E(X W_{gate}), \qquad
        t_{e1} \dots t_{ek} = \operatorname{top}_k \text{ of column } e, \qquad
        w_{ej} = S_{t_{ej}, e}

    Every expert has exactly k tokens. A token may have many experts, or none. Which ones it has
    depends on all tokens, later ones too: a model that writes must not use it.

    Args:
        x: one vector per token.
        w_gate: one column per expert.
        capacity: k, the tokens of an expert; T A / E stands for A experts per token on average.

    Returns:
        The tokens of each expert, and their weights in the dtype of x, computed in at least
        float32. The softmax runs over the experts, and nothing is divided again.

    Raises:
        ValueError: if w_gate has not one row per entry of x, or the capacity is below 1 or above T.

    Source: Zhou et al. 2022 (arXiv:2202.09368), eq. 2 and 3.
    Cost: 2 C E FLOPs a token.
    """
    require_projection("x", x, "w_gate", w_gate)
    require_positive(capacity=capacity)
    if capacity > len(x):
        raise ValueError(
            f"an expert chooses among T tokens, so capacity <= T; capacity is {capacity} and T is "
            f"{len(x)}; shape {tuple(x.shape)}"
        )
    affinities = softmax(at_least_float32(x) @ at_least_float32(w_gate)).mT  # E T
    tokens = choose(affinities, capacity)
    return tokens, affinities.gather(-1, tokens).to(x.dtype)


def expert_choice_forward(
    x: Float[Tensor, "T C"],
    tokens: Int[Tensor, "E _"],
    weights: Float[Tensor, "E _"],
    w_up: Float[Tensor, "E C F"],
    w_down: Float[Tensor, "E F C"],
) -> Float[Tensor, "T C"]:
    r"""Send each expert's tokens through it, and add up what a token gets.

    .. math:: y_t = \sum_{(e, j):\; t_{ej} = t} w_{ej}\, \mathrm{SiLU}(x_t U_e) D_e

    Args:
        x: one vector per token.
        tokens: which tokens each expert has, from ``expert_choice``.
        weights: how much of each.
        w_up: U, one matrix per expert.
        w_down: D, one matrix per expert.

    Returns:
        One vector per token, zeros for one that nobody chose; summed in at least float32.

    Raises:
        ValueError: if a token does not exist, or sizes or dtypes do not fit.

    Source: Zhou et al. 2022 (arXiv:2202.09368), eq. 4 and 5, with SiLU as bend.
    Cost: 4 k C F FLOPs an expert.
    """
    require_floats(x=x, weights=weights)
    require_integers(tokens=tokens)
    require_same_device(x=x, tokens=tokens)
    if tokens.shape != weights.shape or tokens.ndim != 2:
        raise ValueError(
            "each expert has as many weights as tokens; "
            f"shapes {tuple(tokens.shape)} and {tuple(weights.shape)}"
        )
    wrong = (tokens < 0) | (tokens >= len(x))
    if wrong.any():
        raise ValueError(
            f"tokens are numbered from 0 to T - 1, and T is {len(x)}; tokens has "
            f"{tokens[wrong][0].item()}; shape {tuple(tokens.shape)}"
        )
    flat, counts = tokens.flatten(), torch.full_like(tokens[:, 0], tokens.shape[1])
    hidden = silu(grouped_matmul(x[flat], counts, w_up))
    given = at_least_float32(grouped_matmul(hidden, counts, w_down))
    shares = weights.flatten()[:, None] * given
    return torch.zeros_like(at_least_float32(x)).index_add(0, flat, shares).to(x.dtype)
