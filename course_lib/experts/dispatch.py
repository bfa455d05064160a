"""Tokens in the order of their experts, and back."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.experts.fitting import require_choices
from course_lib.kinds import require_floats, require_integers, require_same_device
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes
from course_lib.sizes import require_positive

__all__ = ["expert_combine", "expert_dispatch"]


def expert_dispatch(
    experts: Int[Tensor, "T A"], E: int, P: int
) -> tuple[Int[Tensor, " _"], Int[Tensor, " _"]]:
    r"""Sort all choices by expert, and count how many go to each owner.

    Choice a of token t has the number i = t A + a. With P processors, expert e lives on number
    ⌊e P / E⌋; P = E gives the counts of the experts themselves.

    Args:
        experts: the chosen experts of each token.
        E: experts that there are.
        P: owners of E / P neighbouring experts each.

    Returns:
        The numbers of the choices, those of expert 0 first, of one expert in the order of the
        tokens; and how many of them each owner gets. Token i // A is the one to send.

    Raises:
        ValueError: if P does not divide E, or an expert does not exist.

    Source: Lepikhin et al. 2020, GShard (arXiv:2006.16668), sec. 3.2, for the exchange; sorting
    instead of one-hot products: Gale et al. 2022, MegaBlocks (arXiv:2211.15841), sec. 5.

    >>> expert_dispatch(torch.tensor([[2, 0], [0, 1]]), E=4, P=2)
    (tensor([1, 2, 3, 0]), tensor([3, 1]))
    """
    require_axes("experts", experts, "T A")
    require_positive(E=E, P=P)
    if E % P:
        raise ValueError(f"every owner has the same number of experts; E is {E} and P is {P}")
    require_choices(experts, E)
    flat = experts.flatten()
    owners = flat // (E // P)
    return flat.argsort(stable=True), torch.bincount(owners, minlength=P)


def expert_combine(
    received: Float[Tensor, "_ C"], order: Int[Tensor, " _"], weights: Float[Tensor, "T A"]
) -> Float[Tensor, "T C"]:
    r"""Put what the experts gave back in the order of the tokens, and add up each token's share.

    .. math:: y_t = \sum_a w_{ta}\, r_{\pi(tA + a)}, \quad \pi: \text{ where a choice went}

    Args:
        received: one result per choice, in the order in which they were sent.
        order: that order, from ``expert_dispatch``.
        weights: the weight of each choice, in the order of the tokens.

    Returns:
        One vector per token, summed in at least float32 and rounded to the dtype of received.

    Raises:
        ValueError: if there is not one result and one place for each weight.

    Source: Shazeer et al. 2017 (arXiv:1701.06538), eq. 1.
    """
    require_floats(received=received, weights=weights)
    require_integers(order=order)
    require_same_device(received=received, order=order)
    require_axes("received", received, "choices C")
    require_axes("weights", weights, "T A")
    if not len(received) == order.numel() == weights.numel():
        raise ValueError(
            "each choice has one result, one place in the order and one weight; there are "
            f"{len(received)} results, {order.numel()} places and {weights.numel()} weights; "
            f"shapes {tuple(received.shape)}, {tuple(order.shape)} and {tuple(weights.shape)}"
        )
    by_token = torch.unflatten(received[order.argsort()], 0, tuple(weights.shape))  # T A C
    wide = torch.promote_types(at_least_float32(received).dtype, weights.dtype)
    return torch.einsum("ta,tac->tc", weights.to(wide), by_token.to(wide)).to(received.dtype)
