"""The experts of gpt-oss: equal to their loops, between bounds, and one network at the limit."""

import re
from collections.abc import Callable
from dataclasses import fields

import pytest
import torch
from hypothesis import given
from strategies import B, C, arrays, assert_equals_twin, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.experts.affine_router import affine_topk_router
from course_lib.experts.clamped import ClampedExperts, clamped_moe_forward
from course_lib.experts.routed import through_experts
from course_lib.experts.router import topk_router
from course_lib.layers.gates import oai_swiglu
from course_lib.naive.experts import affine_router as naive_router
from course_lib.naive.experts import clamped as naive_clamped
from course_lib.naive.layers import gates as naive_gates

T, E, A, F = 7, 6, 2, 5


def made(seed: int, dtype: torch.dtype = torch.float64) -> ClampedExperts:
    shapes = {"w_gate_up": (E, C, 2 * F), "b_gate_up": (E, 2 * F), "w_down": (E, F, C)}
    shapes["b_down"] = (E, C)
    return ClampedExperts(
        **{
            name: 2 * normal(seed + i, *shape, dtype=dtype)
            for i, (name, shape) in enumerate(shapes.items())
        }
    )


def routed(seed: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    x = normal(seed, B, T, C, dtype=dtype)
    experts, weights = affine_topk_router(
        x, normal(seed + 1, C, E, dtype=dtype), normal(seed + 2, E, dtype=dtype), A
    )
    return x, experts, weights


# Equal to the twins


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_router_gate_and_mixture_equal_their_loops(dtype: torch.dtype) -> None:
    x, experts, weights = routed(0, dtype)
    parts = made(5, dtype)
    w, b = normal(1, C, E, dtype=dtype), normal(2, E, dtype=dtype)
    output = clamped_moe_forward(x, experts, weights, parts)
    gates = 6 * normal(8, T, 2 * F, dtype=dtype)
    (twin,) = (naive_gates.oai_swiglu(*arrays(gates)),)
    assert_equals_twin(oai_swiglu(gates), torch.from_numpy(twin), dtype)
    for row in range(B):
        chosen, shares = naive_router.affine_topk_router(*arrays(x[row], w, b), A)
        assert experts[row].tolist() == chosen.tolist()
        assert_equals_twin(weights[row], torch.from_numpy(shares), dtype)
        matrices = arrays(*(getattr(parts, one.name) for one in fields(parts)))
        vectors, mixed = arrays(x[row], weights[row])
        expected = naive_clamped.clamped_moe_forward(
            vectors, experts[row].numpy(), mixed, tuple(matrices)
        )
        assert_equals_twin(output[row], torch.from_numpy(expected), dtype)


# Laws


@given(seed=seeds)
def test_far_gates_are_bounds_and_a_closed_gate_hands_nothing_over(seed: int) -> None:
    gate, up = normal(seed, T, F), normal(seed + 1, T, F)
    far = torch.stack([gate + 1e4, up], -1).flatten(-2)
    assert_close(oai_swiglu(far), 7 / (1 + torch.exp(torch.tensor(-1.702 * 7.0))) * (up + 1))
    shut = torch.stack([gate - 1e4, 1e4 * up], -1).flatten(-2)
    assert_close(oai_swiglu(shut), torch.zeros(T, F, dtype=torch.float64))
    high = torch.stack([gate, up.abs() + 1e4], -1).flatten(-2)
    low = torch.stack([gate, -up.abs() - 1e4], -1).flatten(-2)
    assert_close(oai_swiglu(high), oai_swiglu(low) * (8 / -6))


@given(seed=seeds)
def test_the_bias_of_a_router_is_one_more_entry_of_every_vector(seed: int) -> None:
    x, w, b = normal(seed, B, T, C), normal(seed + 1, C, E), normal(seed + 2, E)
    longer = torch.cat([x, torch.ones(B, T, 1, dtype=x.dtype)], -1)
    experts, weights = affine_topk_router(x, w, b, A)
    expected = topk_router(longer, torch.cat([w, b[None]]), A)
    assert torch.equal(experts, expected[0])
    assert_close(weights, expected[1])


@given(seed=seeds)
def test_one_expert_is_one_network(seed: int) -> None:
    parts, x = made(seed), normal(seed + 9, B, T, C)
    alone = ClampedExperts(**{one.name: getattr(parts, one.name)[:1] for one in fields(parts)})
    everywhere = torch.zeros(B, T, 1, dtype=torch.int64)
    output = clamped_moe_forward(x, everywhere, torch.ones(B, T, 1, dtype=x.dtype), alone)
    inner = oai_swiglu(x @ alone.w_gate_up[0] + alone.b_gate_up[0])
    assert_close(output, inner @ alone.w_down[0] + alone.b_down[0])


def test_an_expert_without_tokens_changes_nothing_and_gets_no_gradient() -> None:
    x, experts, weights = routed(3)
    experts = experts.where(experts != 4, 3)  # nobody goes to number 4
    parts = made(4)
    for one in fields(parts):
        getattr(parts, one.name).requires_grad_()
    clamped_moe_forward(x, experts, weights, parts).sum().backward()
    for one in fields(parts):
        grad = getattr(parts, one.name).grad
        assert grad[4].abs().max() == 0 < grad[3].abs().max()


def test_gradients_are_those_of_finite_differences() -> None:
    x, experts, weights = routed(6)
    parts = [getattr(made(7), one.name) for one in fields(ClampedExperts)]
    inputs = [part.requires_grad_() for part in (x[:1, :3], weights[:1, :3], *parts)]

    def mixture(x: Tensor, weights: Tensor, *rest: Tensor) -> Tensor:
        named = zip(fields(ClampedExperts), rest, strict=True)
        held = ClampedExperts(**{one.name: part for one, part in named})
        return clamped_moe_forward(x, experts[:1, :3], weights, held)

    assert torch.autograd.gradcheck(mixture, inputs)


def test_half_precision_is_rounded_once() -> None:
    x = 3 * normal(1, T, 2 * F).half()
    assert torch.equal(oai_swiglu(x), oai_swiglu(x.float()).half())
    assert oai_swiglu(torch.tensor([[60000.0, 60000.0]]).half()).item() == 56.0


def test_nan_stays_with_its_token() -> None:
    x, experts, weights = routed(9)
    x[0, 2] = torch.nan
    output = clamped_moe_forward(x, experts, weights, made(1))
    lost = output.isnan().any(-1)
    assert lost[0, 2]
    assert lost.sum() == 1


# Refusals

X = torch.zeros(3, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: oai_swiglu(torch.zeros(2, 5)), "x has 5 of them; shape (2, 5)"),
        (lambda: oai_swiglu(torch.tensor(1.0)), "x has 1 of them; shape ()"),
        (lambda: oai_swiglu(torch.zeros(2, dtype=torch.int64)), "x"),
        (lambda: oai_swiglu(X, alpha=0.0), "alpha"),
        (lambda: oai_swiglu(X, limit=-7.0), "limit"),
        (
            lambda: affine_topk_router(X, torch.zeros(4, 6), torch.zeros(5), 2),
            "w_gate has 6 columns and its bias 5 numbers; shapes (4, 6) and (5,)",
        ),
        (lambda: affine_topk_router(X, torch.zeros(5, 6), torch.zeros(6), 2), "w_gate"),
        (lambda: affine_topk_router(X, torch.zeros(4, 6), torch.zeros(6), 7), "A is 7 and E is 6"),
        (
            lambda: ClampedExperts(
                w_gate_up=torch.zeros(6, 4, 10),
                b_gate_up=torch.zeros(6, 5),
                w_down=torch.zeros(6, 5, 4),
                b_down=torch.zeros(6, 4),
            ),
            "w_gate_up has E=6 matrices of 10 columns and the biases are (6, 5)",
        ),
        (
            lambda: through_experts(
                X, torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, 1), 6, lambda rows, _: rows
            ),
            "a token has 2 choices and 1 weights; shapes (3, 2) and (3, 1)",
        ),
    ],
)
@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_both_sizes(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
