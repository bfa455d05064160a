"""Lookups against distances and fused attention that PyTorch wrote."""

import pytest
import torch
import torch.nn.functional as F
from strategies import DV, D, S, T, normal
from torch.testing import assert_close

from course_lib.lookup import hard_lookup, kernel_regression, soft_lookup

QUERY, KEYS, VALUES = normal(0, 10 * T, D), normal(1, S, D), normal(2, S, DV)


def test_the_nearest_key_is_that_of_cdist() -> None:
    expected = VALUES[torch.cdist(QUERY, KEYS).argmin(-1)]
    assert torch.equal(hard_lookup(QUERY, KEYS, VALUES), expected)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 9.0])
def test_a_soft_lookup_is_fused_attention_with_a_bias_for_each_key(temperature: float) -> None:
    """-‖q - k‖² = 2 q·k - ‖k‖² and a number of the query's own, which the softmax cancels."""
    bias = (-KEYS.square().sum(-1) / temperature).expand(len(QUERY), S)
    expected = F.scaled_dot_product_attention(
        QUERY[None], KEYS[None], VALUES[None], attn_mask=bias, scale=2 / temperature
    )
    assert_close(soft_lookup(QUERY, KEYS, VALUES, temperature), expected[0])


@pytest.mark.parametrize("width", [0.3, 1.0, 4.0])
def test_a_kernels_mean_is_a_quotient_of_normal_densities(width: float) -> None:
    xq, xk, y = QUERY[:, 0], KEYS[:, 0], VALUES[:, 0]
    density = torch.distributions.Normal(xk, width).log_prob(xq[:, None]).exp()  # T S
    expected = (density * y).sum(-1) / density.sum(-1)
    assert_close(kernel_regression(xq, xk, y, width), expected)
