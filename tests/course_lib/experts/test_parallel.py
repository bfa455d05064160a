"""Experts on several ranks: as in one process, also backwards; who disagrees or dies is named."""

from functools import partial

import pytest
import torch
from ranks_with_experts import (
    E,
    forward_and_back,
    loses_a_rank,
    matrices,
    network,
    nobody_comes,
    refused,
    routed,
)
from strategies import C, normal
from torch.testing import assert_close

from course_lib.experts.routed import through_experts
from course_lib.processes.launch import run_ranks


@pytest.mark.parametrize("num_ranks", [1, 2, 4])
def test_ranks_together_are_one_process_and_experts_learn_from_all_tokens(num_ranks: int) -> None:
    ranks = run_ranks(forward_and_back, num_ranks)
    parts = [w.requires_grad_() for w in matrices()]
    expected_of_parts = [torch.zeros_like(w) for w in parts]
    for rank, found in enumerate(ranks):
        x, experts, weights = routed(rank)
        given = x.requires_grad_(), weights.requires_grad_()
        output = through_experts(x, experts, weights, E, partial(network, *parts))
        gradient = normal(30 + rank, *output.shape)
        *of_tokens, up, down = torch.autograd.grad(output, (*given, *parts), gradient)
        assert_close(found[:3], [output.detach(), *of_tokens])
        for total, part in zip(expected_of_parts, (up, down), strict=True):
            total += part
    for number, expected in enumerate(expected_of_parts):
        assert_close(torch.cat([found[3 + number] for found in ranks]), expected)
        assert (expected[-1] == 0).all()  # nobody chose the last one


def test_a_rank_to_which_nobody_comes_goes_back_with_the_others() -> None:
    first, second = run_ranks(nobody_comes, 2, timeout=60)
    assert all(x.any() for x in first)
    of_tokens, *of_experts = second
    assert of_tokens.any()
    assert not any(x.any() for x in of_experts)


def test_ranks_that_disagree_are_told_alike() -> None:
    first, second = run_ranks(refused, 2)
    assert first == second
    rule = "ranks that share experts have tokens of one kind"
    assert first[0] == f"{rule}; rank 0 has C={C}, rank 1 has C={C - 1}"
    assert first[1] == f"{rule}; rank 0 has E={E}, rank 1 has E={E - 1}"
    assert first[2] == f"{rule}; rank 0 has fraction_bits=7, rank 1 has fraction_bits=10"
    assert "every owner has the same number of experts; E is 9 and P is 2" in first[3]


def test_a_rank_that_died_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"rank 0: RuntimeError: rank 0 of 2 lost a neighbour"):
        run_ranks(loses_a_rank, 2)
