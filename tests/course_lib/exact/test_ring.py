"""Ring attention over processes: exact, also backwards; even; clear where ranks disagree or die."""

import re

import pytest
import torch
from ranks_of_a_ring import (
    CASES,
    LENGTH,
    arriving,
    every_case,
    in_half_precision,
    largest,
    loses_a_rank,
    qkv,
    refused,
    second_derivative,
)
from strategies import DV, B, D
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_query_attention, grouped_scores
from course_lib.exact.shards import Zigzag, unshard
from course_lib.masks import causal_mask
from course_lib.processes.launch import run_ranks
from course_lib.softmax import logsumexp


@pytest.fixture(scope="module", params=[1, 2, 4])
def ranks(request: pytest.FixtureRequest) -> list[list[list[Tensor]]]:
    return run_ranks(every_case, request.param, timeout=120)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_all_ranks_together_are_one_process(ranks: list[list[list[Tensor]]], number: int) -> None:
    layout, causal, heads = CASES[number]
    query, key, value = (x.requires_grad_() for x in qkv(heads))
    may_attend = causal_mask(LENGTH) if causal else torch.ones(LENGTH, LENGTH).bool()
    scores = grouped_scores(query, key) / D**0.5
    lse = logsumexp(scores.masked_fill(~may_attend, -torch.inf))[..., None]
    output = grouped_query_attention(query, key, value, may_attend)
    gradients = torch.autograd.grad((output, lse), (query, key, value), arriving(heads))
    for part, expected in enumerate((output, lse, *gradients)):
        found = unshard([of_rank[number][part] for of_rank in ranks], layout)
        assert_close(found, expected.detach(), rtol=1e-10, atol=1e-10)


def test_half_precision_is_rounded_once() -> None:
    found = unshard(run_ranks(in_half_precision, 3), Zigzag())
    wide = [x.bfloat16().double() for x in qkv((4, 2))]
    expected = grouped_query_attention(*wide, causal_mask(LENGTH))
    assert found.dtype == torch.bfloat16
    assert_close(found.double(), expected, rtol=2**-8, atol=1e-6)


# Memory


def test_no_tensor_of_the_whole_sequence_is_made() -> None:
    # The largest are two outputs of a rank's own positions, a P-th of the whole, to be merged.
    length = 96
    assert run_ranks(largest, 4, length) == [2 * B * 4 * length // 4 * DV] * 4


# Who disagrees, and who is gone


def test_each_rank_is_told_who_differs() -> None:
    first, second = run_ranks(refused, 2)
    assert first == second
    rule = "every rank holds as much of the sequence, and asks alike"
    assert first[:4] == [
        f"{rule}; rank 0 has T=12, rank 1 has T=10",
        f"{rule}; rank 0 has causal=1, rank 1 has causal=0",
        f"{rule}; rank 0 has bits=64, rank 1 has bits=32",
        # 16 bits each: as many arrive as are awaited, and would be read as other numbers.
        f"{rule}; rank 0 has fraction_bits=7, rank 1 has fraction_bits=10",
    ]
    assert "in 1 equal chunks; query has T=5 and key S=12" in first[4]
    assert "in 2 equal chunks; query has T=5 and key S=5" in first[5]


def test_a_rank_that_dies_between_forward_and_backward_ends_the_others_with_its_name() -> None:
    died = r"rank 2 died without a word, with exit code 3"
    lost = r"rank 3: RuntimeError: rank 3 of 4 lost a neighbour"
    with pytest.raises(RuntimeError, match=re.compile(f"{died}; {lost}")):
        run_ranks(loses_a_rank, 4, timeout=100)


def test_a_gradient_of_the_gradient_is_refused_by_name() -> None:
    assert "grouped_query_attention" in run_ranks(second_derivative, 1)[0]
