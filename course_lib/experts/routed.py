"""Sort tokens by expert, let each expert see its own, and bring the results back."""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor

from course_lib.experts.dispatch import expert_combine, expert_dispatch
from course_lib.kinds import require_same_device

__all__ = ["Network", "require_routed", "through_experts"]

#: All experts at once: the rows of expert 0, then those of expert 1, …, and how many each has.
Network = Callable[[Tensor, Tensor], Tensor]


def through_experts(
    x: Float[Tensor, "*batch T C"],
    experts: Int[Tensor, "*batch T A"],
    weights: Float[Tensor, "*batch T A"],
    num_experts: int,
    network: Network,
) -> Float[Tensor, "*batch T C"]:
    r"""Send each token through its A experts, and add up what they give by the weights.

    .. math:: y_t = \sum_a w_{ta}\, f_{e}(x_t), \qquad e = i_{ta}

    Args:
        x: one vector per token.
        experts: which experts each token uses, from a router.
        weights: how much of each.
        num_experts: E, how many there are.
        network: f of all experts, for rows that are sorted by them.

    Returns:
        One vector per token. NaN in a token stays there, if the network keeps it in its row.

    Raises:
        ValueError: if an expert does not exist, or a token has not one weight for each choice.

    Source: Shazeer et al. 2017 (arXiv:1701.06538), eq. 1.
    """
    require_routed(x, experts, weights)
    tokens, choices = x.flatten(0, -2), experts.flatten(0, -2)
    order, counts = expert_dispatch(choices, num_experts, num_experts)
    given = network(tokens[order // experts.shape[-1]], counts)
    return expert_combine(given, order, weights.flatten(0, -2)).view(x.shape)


def require_routed(
    x: Float[Tensor, "..."], experts: Int[Tensor, "..."], weights: Float[Tensor, "..."]
) -> None:
    """Refuse tokens without their choices, and choices without their weights.

    Args:
        x: one vector per token.
        experts: which experts each token uses.
        weights: how much of each.

    Returns:
        Nothing, if they fit.

    Raises:
        ValueError: if a token has no choices of its own, or not one weight for each.
    """
    require_same_device(x=x, experts=experts, weights=weights)
    if not x.shape[:-1] == experts.shape[:-1] == weights.shape[:-1] or x.ndim < 2:
        raise ValueError(
            "each token has one vector and its choices, so all axes but the last agree; "
            f"shapes {tuple(x.shape)}, {tuple(experts.shape)} and {tuple(weights.shape)}"
        )
    if experts.shape != weights.shape:
        raise ValueError(
            f"each choice has one weight; a token has {experts.shape[-1]} choices and "
            f"{weights.shape[-1]} weights; shapes {tuple(experts.shape)} and {tuple(weights.shape)}"
        )
