"""Patterns built by hand: the weights that they promise, judged by the twin's softmax."""

import math

import pytest
import torch
from torch.testing import assert_close

from course_lib import patterns as lib
from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.naive import patterns as naive
from course_lib.naive.attention import dot_product as naive_attention


@pytest.mark.parametrize("T", [1, 2, 5, 64])
@pytest.mark.parametrize("pattern", lib.PATTERNS)
def test_make_qk_for_equals_its_loops(pattern: str, T: int) -> None:
    for result, twin in zip(
        lib.make_qk_for(pattern, T), naive.make_qk_for(pattern, T), strict=True
    ):
        assert_close(result, torch.from_numpy(twin).float())


@pytest.mark.parametrize("T", [1, 2, 5, 64])
@pytest.mark.parametrize(
    ("pattern", "reads"),
    [
        ("identity", lambda t: t),
        ("previous token", lambda t: max(t - 1, 0)),
        ("first token", lambda t: 0),
    ],
)
def test_each_query_reads_the_wanted_key(pattern: str, reads: object, T: int) -> None:
    query, key = (tensor.double().numpy() for tensor in lib.make_qk_for(pattern, T))
    _, weights = naive_attention.scaled_dot_product_attention(query, key, key)
    bound = 1 / (1 + math.exp(-8))
    for t in range(T):
        assert callable(reads)
        assert weights[t, reads(t)] >= bound - 1e-6  # the queries are float32


@pytest.mark.parametrize("T", [1, 2, 5, 64])
def test_the_average_reads_all_alike(T: int) -> None:
    query, key = lib.make_qk_for("average", T)
    value = torch.arange(T, dtype=torch.float32)[:, None]
    output, weights = scaled_dot_product_attention(query, key, value)
    assert_close(weights, torch.full((T, T), 1 / T))
    assert_close(output, torch.full((T, 1), (T - 1) / 2))


def test_refusals_name_what_came() -> None:
    with pytest.raises(ValueError, match="'next token' is none; known are identity, previous tok"):
        lib.make_qk_for("next token", 3)
    with pytest.raises(ValueError, match="T >= 1; T is 0"):
        lib.make_qk_for("identity", 0)
