"""Weights on what experts read: equal to the loops, and no weights on what experts give."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from strategies import B, C, arrays, assert_equals_twin, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.experts.input_weighted import each_its_gate, input_weighted_moe_forward
from course_lib.experts.mixture import gated_moe_forward
from course_lib.layers.feed_forward import swiglu
from course_lib.naive.experts import input_weighted as naive

T, E, A, F = 7, 6, 2, 5


def matrices(seed: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    shapes = ((E, C, F), (E, C, F), (E, F, C))
    return tuple(normal(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_router_and_mixture_equal_their_loops(dtype: torch.dtype) -> None:
    x, w = normal(0, B, T, C, dtype=dtype), normal(1, C, E, dtype=dtype)
    experts, weights = each_its_gate(x, w, A)
    parts = matrices(2, dtype)
    output = input_weighted_moe_forward(x, experts, weights, *parts)
    for row in range(B):
        chosen, shares = naive.each_its_gate(*arrays(x[row], w), A)
        assert experts[row].tolist() == chosen.tolist()
        assert_equals_twin(weights[row], torch.from_numpy(shares), dtype)
        vectors, mixed = arrays(x[row], weights[row])
        expected = naive.input_weighted_moe_forward(vectors, chosen, mixed, *arrays(*parts))
        assert_equals_twin(output[row], torch.from_numpy(expected), dtype)


@given(seed=seeds)
def test_weights_of_one_are_those_of_any_mixture_and_others_are_not(seed: int) -> None:
    x, parts = normal(seed, B, T, C), matrices(seed + 1)
    experts, weights = each_its_gate(x, normal(seed + 9, C, E), A)
    ones = torch.ones_like(weights)
    whole = gated_moe_forward(x, experts, ones, *parts)
    assert_close(input_weighted_moe_forward(x, experts, ones, *parts), whole)
    output = input_weighted_moe_forward(x, experts, weights, *parts)
    assert (output - gated_moe_forward(x, experts, weights, *parts)).abs().max() > 1e-3


@given(seed=seeds)
def test_one_expert_is_one_network_of_half_a_token(seed: int) -> None:
    x, (gate, up, down) = normal(seed, B, T, C), matrices(seed + 1)
    experts, weights = each_its_gate(x, torch.zeros(C, 1, dtype=x.dtype), 1)
    assert_close(weights, torch.full((B, T, 1), 0.5, dtype=x.dtype))  # alone, and yet not 1
    output = input_weighted_moe_forward(x, experts, weights, gate[:1], up[:1], down[:1])
    assert_close(output, swiglu(x / 2, gate[0], up[0], down[0]))


@given(seed=seeds)
def test_each_weight_is_its_own_and_stays_in_its_token(seed: int) -> None:
    x, w = normal(seed, B, T, C), normal(seed + 1, C, E)
    weights = each_its_gate(x, w, A)[1]
    assert ((weights > 0) & (weights < 1)).all()
    assert_close(weights, torch.sigmoid((x @ w).topk(A).values))
    spoilt = x.clone()
    spoilt[0, 2] = torch.nan
    again = each_its_gate(spoilt, w, A)
    output = input_weighted_moe_forward(spoilt, *again, *matrices(seed + 2))
    is_nan = output.isnan().any(-1)
    assert is_nan[0, 2]
    assert is_nan.sum() == 1


def test_gradients_reach_the_router_with_one_expert_a_token() -> None:
    x, w = normal(0, T, C).requires_grad_(), normal(1, C, E).requires_grad_()
    parts = [part.requires_grad_() for part in matrices(2)]
    experts = each_its_gate(x, w, 1)[0]  # the choice itself is flat

    def output(*leaves: Tensor) -> Tensor:
        weights = torch.sigmoid((leaves[0] @ leaves[1]).gather(-1, experts))
        return input_weighted_moe_forward(leaves[0], experts, weights, *leaves[2:])

    assert torch.autograd.gradcheck(output, (x, w, *parts))
    input_weighted_moe_forward(x, *each_its_gate(x, w, 1), *parts).sum().backward()
    assert w.grad is not None
    assert w.grad.abs().max() > 1e-3


X, W = normal(0, B, T, C), normal(1, C, E)
CHOICES = each_its_gate(X, W, A)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: each_its_gate(X, W[1:], A), "w_gate"),
        (lambda: each_its_gate(X, W, E + 1), f"A is {E + 1} and E is {E}"),
        (
            lambda: input_weighted_moe_forward(X, CHOICES[0] + E, CHOICES[1], *matrices(2)),
            "expert",
        ),
        (
            lambda: input_weighted_moe_forward(X, CHOICES[0], CHOICES[1].float(), *matrices(2)),
            "float32",
        ),
        (
            lambda: input_weighted_moe_forward(X, CHOICES[0], CHOICES[1][:, 1:], *matrices(2)),
            "all axes but the last agree",
        ),
    ],
)
@pytest.mark.usefixtures("without_annotations")
def test_what_does_not_fit(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
