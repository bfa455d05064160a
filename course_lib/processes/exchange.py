"""Every rank sends rows to every rank: the exchange of tokens among experts."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function

from course_lib.processes.neighbours import lost
from course_lib.shapes import require_axes

__all__ = ["exchange_counts", "exchange_rows"]


def exchange_counts(
    counts: Int[Tensor, "_ _"], group: dist.ProcessGroup | None
) -> Int[Tensor, "_ _"]:
    """Tell every rank how much it will get.

    Args:
        counts: a row of numbers for each rank; as many on each.
        group: the ranks; None for all.

    Returns:
        The row that each rank had for this one.

    Raises:
        ValueError: if there is not one row per rank.
        RuntimeError: if a rank is gone, or does not answer within the group's time limit.
    """
    require_axes("counts", counts, "P _")
    num_ranks = dist.get_world_size(group)
    if len(counts) != num_ranks:
        raise ValueError(
            f"each rank gets a row of counts; there are {len(counts)} rows and {num_ranks} ranks"
        )
    arrived = torch.empty_like(counts)
    try:
        dist.all_to_all_single(arrived, counts.contiguous(), group=group)
    except RuntimeError as error:
        raise lost(group, error) from error
    return arrived


def exchange_rows(
    rows: Float[Tensor, "_ C"],
    sent: list[int],
    received: list[int],
    group: dist.ProcessGroup | None,
) -> Float[Tensor, "_ C"]:
    """Send the first rows to rank 0, the next ones to rank 1, and so on; get theirs in that order.

    The gradient of what arrived goes the same way back.

    Args:
        rows: what this rank sends.
        sent: how many go to each rank.
        received: how many each rank sends here, from ``exchange_counts``.
        group: the ranks; None for all.

    Returns:
        The rows of rank 0 for this rank, then those of rank 1, and so on.

    Raises:
        ValueError: if the counts do not add up to the rows, or there is not one for each rank.
        RuntimeError: if a rank is gone, or does not answer within the group's time limit.

    Source: the all-to-all of GShard, Lepikhin et al. 2020 (arXiv:2006.16668), sec. 3.2.
    """
    require_axes("rows", rows, "rows C")
    num_ranks = dist.get_world_size(group)
    if len(sent) != num_ranks or len(received) != num_ranks or sum(sent) != len(rows):
        raise ValueError(
            "each row goes to one rank, and each rank is told how many; there are "
            f"{len(rows)} rows, {num_ranks} ranks, and sent = {sent} and received = {received}"
        )
    exchanged: Tensor = _Exchange.apply(rows, sent, received, group)  # type: ignore[no-untyped-call]
    return exchanged


class _Exchange(Function):
    """What went one way goes back the other."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, sent: list[int], received: list[int], group: dist.ProcessGroup
    ) -> Tensor:
        ctx.asked = sent, received, group
        return _all_to_all(rows, sent, received, group)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        sent, received, group = ctx.asked
        return _all_to_all(gradient, received, sent, group), None, None, None


def _all_to_all(
    rows: Tensor, sent: list[int], received: list[int], group: dist.ProcessGroup | None
) -> Tensor:
    arrived = rows.new_empty(sum(received), rows.shape[1])
    try:
        dist.all_to_all_single(arrived, rows.contiguous(), received, sent, group=group)
    except RuntimeError as error:
        raise lost(group, error) from error
    return arrived
