"""Embedding and unembedding against PyTorch's modules, values and gradients."""

import pytest
import torch
from strategies import B, C, T, normal
from torch import nn
from torch.testing import assert_close

from course_lib.layers.embedding import embed, unembed

V = 13
IDS = torch.tensor([[0, 12, 5], [5, 5, 1]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients(dtype: torch.dtype) -> None:
    table = normal(0, V, C, dtype=dtype)
    module = nn.Embedding.from_pretrained(table.clone(), freeze=False)
    head = nn.Linear(C, V, bias=False, dtype=dtype)
    head.weight = module.weight  # tied
    expected_vectors = module(IDS)
    expected = head(expected_vectors.tanh())
    ours = table.clone().requires_grad_()
    vectors = embed(IDS, ours)
    actual = unembed(vectors.tanh(), ours)
    assert torch.equal(vectors, expected_vectors)
    assert torch.equal(actual, expected)
    gradient = normal(1, B, T, V, dtype=dtype)
    expected.backward(gradient)
    actual.backward(gradient)
    assert_close(ours.grad, module.weight.grad)


@pytest.mark.parametrize(
    ("dtype", "bound"),
    [
        # Measured: 1.6e-6 after 768 products, as in nn.Linear; 1.6e-2, half a unit of the last
        # place of a logit above 4. The largest logit is 4.6.
        (torch.float32, 3e-6),
        (torch.bfloat16, 2e-2),
    ],
)
def test_rounding_at_the_width_of_gpt2(dtype: torch.dtype, bound: float) -> None:
    hidden, table = normal(0, 64, 768, dtype=dtype), normal(1, 500, 768, dtype=dtype) / 768**0.5
    exact = unembed(hidden.double(), table.double())
    assert (unembed(hidden, table).double() - exact).abs().max() < bound
