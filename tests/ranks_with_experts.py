"""What ranks do in tests of experts on several ranks. A process imports it by name."""

import os
from functools import partial

import torch
from strategies import C, normal
from torch import Tensor

from course_lib.experts.mixture import grouped_matmul
from course_lib.experts.parallel import through_experts_of_all_ranks
from course_lib.experts.router import topk_router
from course_lib.layers.activations import silu

E, A, F = 8, 3, 5


def tokens_of(rank: int) -> int:
    """Ranks have different numbers of tokens; rank 1 of three or more has none."""
    return 0 if rank == 1 else 6 + rank


def matrices() -> list[Tensor]:
    return [normal(3, E, C, F), normal(4, E, F, C)]


def routed(rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens of one rank, their experts, which leave the last one out, and their weights."""
    x = normal(10 + rank, 1, tokens_of(rank), C)
    experts, weights = topk_router(x, normal(5, C, E - 1), A)
    return x, experts, weights


def network(w_up: Tensor, w_down: Tensor, rows: Tensor, counts: Tensor) -> Tensor:
    return grouped_matmul(silu(grouped_matmul(rows, counts, w_up)), counts, w_down)


def forward_and_back(rank: int, num_ranks: int) -> list[Tensor]:
    own = slice(rank * E // num_ranks, (rank + 1) * E // num_ranks)
    parts = [w[own].requires_grad_() for w in matrices()]
    x, experts, weights = routed(rank)
    x, weights = x.requires_grad_(), weights.requires_grad_()
    output = through_experts_of_all_ranks(x, experts, weights, E, partial(network, *parts))
    gradient = normal(30 + rank, *output.shape)
    return [output.detach(), *torch.autograd.grad(output, (x, weights, *parts), gradient)]


def refused(rank: int, num_ranks: int) -> list[str]:
    x, experts, weights = routed(0)
    said = []
    half = torch.float16 if rank else torch.bfloat16
    for width, count, dtype in (
        (C - rank, E, x.dtype),
        (C, E - rank, x.dtype),
        (C, E, half),
        (C, E + 1, x.dtype),
    ):
        parts = partial(network, *matrices())
        call = x[..., :width].to(dtype), experts, weights, count, parts
        try:
            through_experts_of_all_ranks(*call)
        except ValueError as error:
            said.append(str(error))
    return said


def loses_a_rank(rank: int, num_ranks: int) -> Tensor:
    if rank == 1:
        os._exit(5)
    x, experts, weights = routed(0)
    return through_experts_of_all_ranks(x, experts, weights, E, partial(network, *matrices()))


def nobody_comes(rank: int, num_ranks: int) -> list[Tensor]:
    """All tokens choose experts of rank 0; the others get none, and go back all the same."""
    own = slice(rank * E // num_ranks, (rank + 1) * E // num_ranks)
    parts = [w[own].requires_grad_() for w in matrices()]
    x, experts, weights = routed(0)
    x = x.requires_grad_()
    output = through_experts_of_all_ranks(
        x, experts % (E // num_ranks), weights, E, partial(network, *parts)
    )
    return list(torch.autograd.grad(output.sum(), (x, *parts)))
