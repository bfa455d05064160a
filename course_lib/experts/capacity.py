"""Experts with room for so many tokens: who comes too late is left out."""

import math
from fractions import Fraction

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.experts.fitting import require_choices
from course_lib.kinds import require_floats, require_same_device
from course_lib.shapes import require_axes
from course_lib.sizes import require_above_zero, require_positive

__all__ = ["capacity_dispatch", "drop_overflow", "expert_capacity"]


def expert_capacity(T: int, A: int, E: int, factor: float) -> int:
    r"""Say how many tokens an expert takes.

    .. math:: \Big\lceil \frac{\text{factor} \cdot T A}{E} \Big\rceil

    Args:
        T: tokens that are dispatched together.
        A: choices of a token.
        E: experts that there are.
        factor: how much more than a fair share; 1.25 is usual. It is read as it is written: 1.1 is
            11/10, and not the binary number beside it.

    Returns:
        The room of each expert.

    Raises:
        ValueError: if a size is below 1, or the factor not positive and finite.

    Source: Fedus et al. 2021 (arXiv:2101.03961), eq. 3; rounded up, so that a factor of 1 has room
    for all.

    >>> expert_capacity(30, 1, 3, 1.1)
    11
    """
    require_positive(T=T, A=A, E=E)
    require_above_zero("factor", factor, "a capacity factor")
    return math.ceil(Fraction(factor).limit_denominator(10**6) * T * A / E)


def capacity_dispatch(experts: Int[Tensor, "B T A"], E: int, factor: float) -> Int[Tensor, "B T A"]:
    r"""Give each choice a slot of its expert, first come, first served.

    All first choices of a sequence come before all second ones, and of one rank the earlier token
    before the later. So a later token takes no slot from an earlier one's choice of the same rank;
    its first choice may take one from an earlier token's second.

    Args:
        experts: the chosen experts of each token, the best first.
        E: experts that there are.
        factor: how much more than a fair share an expert takes.

    Returns:
        For each choice its slot, from 0, in its expert's room of ``expert_capacity`` for one
        sequence; -1 where the room is full.

    Raises:
        ValueError: if an expert does not exist, if there is no token, or the factor is not positive
            and finite.

    Source: Lepikhin et al. 2020, GShard (arXiv:2006.16668), alg. 1; Fedus et al. 2021
    (arXiv:2101.03961), sec. 2.2.

    >>> capacity_dispatch(torch.tensor([[[0, 1], [0, 1], [0, 2]]]), E=3, factor=1.0)
    tensor([[[ 0,  0],
             [ 1,  1],
             [-1,  0]]])
    """
    require_axes("experts", experts, "B T A")
    require_choices(experts, E)
    batch, num_tokens, choices = experts.shape
    capacity = expert_capacity(num_tokens, choices, E, factor)
    queue = experts.mT.flatten(1)  # B AT, all first choices before all second ones
    order = queue.argsort(dim=-1, stable=True)
    sorted_queue = queue.gather(-1, order)
    begins = torch.searchsorted(sorted_queue, sorted_queue)  # where each one's expert begins
    places = torch.arange(queue.shape[-1], device=experts.device) - begins
    slots = torch.empty_like(places).scatter(-1, order, places)
    slots = slots.masked_fill(slots >= capacity, -1)
    return slots.view(batch, choices, num_tokens).mT.contiguous()


def drop_overflow(
    weights: Float[Tensor, "B T A"], slots: Int[Tensor, "B T A"]
) -> Float[Tensor, "B T A"]:
    r"""Set the weights of choices without a slot to zero; the others keep theirs.

    A token whose choices are all dropped gets zeros from the mixture: only the residual stream
    carries it on.

    Args:
        weights: how much of each chosen expert.
        slots: from ``capacity_dispatch``; -1 is dropped.

    Returns:
        The weights that are left; they are not divided by their sum again.

    Raises:
        ValueError: if there is not one slot per weight.

    Source: Fedus et al. 2021 (arXiv:2101.03961), sec. 2.2.
    """
    require_floats(weights=weights)
    require_same_device(weights=weights, slots=slots)
    if weights.shape != slots.shape:
        raise ValueError(
            f"each choice has one weight and one slot; there are {weights.numel()} weights and "
            f"{slots.numel()} slots; shapes {tuple(weights.shape)} and {tuple(slots.shape)}"
        )
    return weights.masked_fill(slots < 0, 0.0)
