"""Experts that live on several ranks: tokens travel to them and back."""

import torch
import torch.distributed as dist
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.experts.dispatch import expert_combine, expert_dispatch
from course_lib.experts.routed import Network, require_routed
from course_lib.processes.exchange import exchange_counts, exchange_rows
from course_lib.processes.neighbours import bits_of, require_same_on_each_rank

__all__ = ["through_experts_of_all_ranks"]


def through_experts_of_all_ranks(
    x: Float[Tensor, "*batch T C"],
    experts: Int[Tensor, "*batch T A"],
    weights: Float[Tensor, "*batch T A"],
    num_experts: int,
    network: Network,
    group: dist.ProcessGroup | None = None,
) -> Float[Tensor, "*batch T C"]:
    r"""Send each token to the ranks where its experts live, and add up what comes back.

    .. math:: y_t = \sum_a w_{ta}\, f_{e}(x_t), \qquad e = i_{ta} \text{ on rank }
        \lfloor e P / E \rfloor

    Every rank has tokens of its own, as many as it likes, and E / P experts. A token crosses twice:
    there and, changed, back; weights stay at home. Gradients take the same ways, so a rank's
    experts learn from the tokens of all ranks.

    Args:
        x: this rank's tokens.
        experts: which experts of all E each token uses.
        weights: how much of each.
        num_experts: E, on all ranks together; P divides it.
        network: f of this rank's experts, for rows that are sorted by them, as for
            ``through_experts``.
        group: the ranks; None for all of torch.distributed's default group.

    Returns:
        One vector per token of this rank; with one rank ``through_experts``.

    Raises:
        ValueError: on every rank, if ranks differ in C, A, E or dtype.
        ValueError: if P does not divide E, if an expert does not exist, or a token has not one
            weight for each choice.
        RuntimeError: if a rank is gone, or does not answer within the group's time limit.

    Source: GShard, Lepikhin et al. 2020 (arXiv:2006.16668), sec. 3.2, without a capacity: what is
    sent is counted first, and nothing is dropped or padded.
    Cost: a rank sends 2 T A (1 - 1/P) vectors of C numbers where the load is even.
    """
    require_routed(x, experts, weights)
    num_ranks = dist.get_world_size(group)
    require_same_on_each_rank(
        "ranks that share experts have tokens of one kind",
        group,
        x.device,
        C=x.shape[-1],
        A=experts.shape[-1],
        E=num_experts,
        **bits_of(x.dtype),
    )
    tokens, choices = x.flatten(0, -2), experts.flatten(0, -2)
    order, sent = expert_dispatch(choices, num_experts, num_ranks)
    by_expert = torch.bincount(choices.flatten(), minlength=num_experts).view(num_ranks, -1)
    arriving = exchange_counts(by_expert, group)  # P ranks, E / P experts of this one
    going, coming = sent.tolist(), arriving.sum(1).tolist()
    rows = exchange_rows(tokens[order // experts.shape[-1]], going, coming, group)
    # Sorted by rank, then by expert; the network wants them by expert alone.
    local = torch.arange(arriving.shape[1], device=x.device).repeat(num_ranks)
    places = local.repeat_interleave(arriving.flatten()).argsort(stable=True)
    given = network(rows[places], arriving.sum(0))[places.argsort()]
    home = exchange_rows(given, coming, going, group)
    return expert_combine(home, order, weights.flatten(0, -2)).view(x.shape)
