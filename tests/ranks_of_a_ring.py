"""What ranks do in tests of ring attention. A process imports it by name."""

import os
from itertools import product
from typing import Any

import torch
from allocations import Allocations
from strategies import DV, B, D, normal
from torch import Tensor

from course_lib.exact.ring import Ring, ring_attention
from course_lib.exact.shards import Contiguous, Layout, Zigzag, shard

LAYOUTS: tuple[Layout, ...] = (Contiguous(), Zigzag())
CASES = list(product(LAYOUTS, (True, False), ((4, 4), (6, 2), (3, 1))))
LENGTH = 24


def qkv(heads: tuple[int, int], length: int = LENGTH) -> list[Tensor]:
    H, G = heads
    shapes = ((B, H, length, D), (B, G, length, D), (B, G, length, DV))
    return [normal(seed, *shape) for seed, shape in enumerate(shapes)]


def arriving(heads: tuple[int, int]) -> list[Tensor]:
    """The gradients of output and log-sum-exp."""
    return [normal(7, B, heads[0], LENGTH, DV), normal(8, B, heads[0], LENGTH, 1)]


def every_case(rank: int, num_ranks: int) -> list[list[Tensor]]:
    results = []
    for layout, causal, heads in CASES:
        parts = [shard(x, rank, num_ranks, layout).requires_grad_() for x in qkv(heads)]
        output, lse = ring_attention(*parts, causal, Ring(layout=layout), block=5)
        gradients = [shard(x, rank, num_ranks, layout) for x in arriving(heads)]
        gradients[1] = gradients[1].squeeze(-1)
        found = torch.autograd.grad((output, lse), parts, gradients)
        results.append([output.detach(), lse.detach()[..., None], *found])
    return results


def in_half_precision(rank: int, num_ranks: int) -> Tensor:
    parts = [shard(x.bfloat16(), rank, num_ranks, Zigzag()) for x in qkv((4, 2))]
    output, lse = ring_attention(*parts, True, Ring(layout=Zigzag()))
    assert lse.dtype == torch.float32
    return output


def largest(rank: int, num_ranks: int, length: int) -> int:
    parts = [shard(x, rank, num_ranks, Contiguous()) for x in qkv((4, 2), length)]
    with Allocations() as seen:
        ring_attention(*parts, True, Ring(layout=Contiguous()), block=8)
    return int(seen.largest)


def refused(rank: int, num_ranks: int) -> list[str]:
    query, key, value = (shard(x, rank, num_ranks, Contiguous()) for x in qkv((4, 2)))
    ring, said = Ring(layout=Contiguous()), []
    calls: list[tuple[Any, ...]] = [
        (*(x[:, :, : 12 - 2 * rank] for x in (query, key, value)), True, ring),
        (query, key, value, rank == 0, ring),
        (*((x.float() if rank else x) for x in (query, key, value)), True, ring),
        (*((x.half() if rank else x.bfloat16()) for x in (query, key, value)), True, ring),
        (query[:, :, :5], key, value, True, ring),
        (*(x[:, :, :5] for x in (query, key, value)), True, Ring(layout=Zigzag())),
    ]
    for call in calls:
        try:
            ring_attention(*call)
        except ValueError as error:
            said.append(str(error))
    return said


def loses_a_rank(rank: int, num_ranks: int) -> Tensor:
    parts = [shard(x, rank, num_ranks, Contiguous()).requires_grad_() for x in qkv((4, 2))]
    output, _ = ring_attention(*parts, True, Ring(layout=Contiguous()))
    if rank == 2:
        os._exit(3)
    output.sum().backward()
    return output.detach()


def second_derivative(rank: int, num_ranks: int) -> str:
    parts = [x.requires_grad_() for x in qkv((4, 2))]
    output, _ = ring_attention(*parts, True, Ring(layout=Contiguous()))
    try:
        torch.autograd.grad(output.sum(), parts, create_graph=True)
    except ValueError as error:
        return str(error)
    return "no error"


def against_the_fused_kernel(rank: int, num_ranks: int) -> list[Tensor]:
    layout = Zigzag()
    parts = [shard(x, rank, num_ranks, layout).requires_grad_() for x in qkv((4, 4))]
    output, lse = ring_attention(*parts, True, Ring(layout=layout), block=3)
    gradient = shard(arriving((4, 4))[0], rank, num_ranks, layout)
    found = torch.autograd.grad(output, parts, gradient)
    return [output.detach(), lse.detach()[..., None], *found]
