"""Mixtures of experts: equal to their loops, to one network at the limit, cheap both ways."""

import math
import re
from collections.abc import Callable

import pytest
import torch
from allocations import Allocations
from hypothesis import given
from strategies import B, C, arrays, assert_equals_twin, normal, permutation, seeds
from torch import Tensor
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from course_lib.experts import dispatch, mixture
from course_lib.experts.router import choose, topk_router
from course_lib.layers.activations import silu
from course_lib.layers.feed_forward import feed_forward, swiglu
from course_lib.naive.experts import dispatch as naive_dispatch
from course_lib.naive.experts import mixture as naive

T, E, A, F = 7, 6, 2, 5


def parts(seed: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """Vectors, choices (expert 4 never), weights, w_gate, w_up, w_down."""
    liked = normal(seed + 1, B, T, E).index_fill(-1, torch.tensor(4), -math.inf)
    matrices = (normal(seed + 3 + i, E, C, F, dtype=dtype) for i in range(2))
    return (
        normal(seed, B, T, C, dtype=dtype),
        choose(liked, A),
        normal(seed + 2, B, T, A, dtype=dtype).softmax(-1),
        *matrices,
        normal(seed + 5, E, F, C, dtype=dtype),
    )


# Equal to the twins


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mixtures_equal_their_loops(dtype: torch.dtype) -> None:
    x, experts, weights, w_gate, w_up, w_down = parts(0, dtype)
    plain = mixture.moe_forward(x, experts, weights, w_up, w_down)
    gated = mixture.gated_moe_forward(x, experts, weights, w_gate, w_up, w_down)
    shared = mixture.shared_experts(x, w_gate, w_up, w_down)
    for b in range(B):
        vectors, shares = arrays(x[b], weights[b])
        matrices = arrays(w_gate, w_up, w_down)
        choices = experts[b].numpy()
        for output, expected in (
            (plain, naive.moe_forward(vectors, choices, shares, *matrices[1:])),
            (gated, naive.gated_moe_forward(vectors, choices, shares, *matrices)),
            (shared, naive.shared_experts(vectors, *matrices)),
        ):
            assert_equals_twin(output[b], torch.from_numpy(expected), dtype)


def test_dispatch_combine_and_products_equal_their_loops() -> None:
    x, experts, weights, _, w_up, _ = parts(0)
    for owners in (1, 2, 3, 6):
        order, counts = dispatch.expert_dispatch(experts[0], E, owners)
        expected = naive_dispatch.expert_dispatch(experts[0].numpy(), E, owners)
        assert order.tolist() == expected[0].tolist()
        assert counts.tolist() == expected[1].tolist()
    received = normal(9, T * A, C)
    combined = dispatch.expert_combine(received, order, weights[0])
    twin = naive_dispatch.expert_combine(*arrays(received), order.numpy(), *arrays(weights[0]))
    assert_equals_twin(combined, torch.from_numpy(twin), torch.float64)
    rows = x[0][order // A]
    product = mixture.grouped_matmul(rows, counts, w_up)
    twin = naive.grouped_matmul(*arrays(rows), counts.numpy(), *arrays(w_up))
    assert_equals_twin(product, torch.from_numpy(twin), torch.float64)


# The ladder


@given(seed=seeds)
def test_one_expert_is_a_feed_forward_network(seed: int) -> None:
    x, _, _, w_gate, w_up, w_down = parts(seed)
    only, one = torch.zeros(B, T, 1).long(), torch.ones(B, T, 1).double()
    plain = mixture.moe_forward(x, only, one, w_up[:1], w_down[:1])
    assert_close(plain, feed_forward(x, w_up[0], None, w_down[0], None, silu))
    gated = mixture.gated_moe_forward(x, only, one, w_gate[:1], w_up[:1], w_down[:1])
    assert_close(gated, swiglu(x, w_gate[0], w_up[0], w_down[0]))
    assert_close(mixture.shared_experts(x, w_gate[:1], w_up[:1], w_down[:1]), gated)
    experts, weights = topk_router(x, normal(seed + 7, C, 1), 1)
    assert_close((experts, weights), (only, one))


@given(seed=seeds)
def test_equal_experts_are_one(seed: int) -> None:
    x, experts, weights, w_gate, w_up, w_down = parts(seed)
    same = (w[:1].expand_as(w) for w in (w_gate, w_up, w_down))
    output = mixture.gated_moe_forward(x, experts, weights, *same)
    assert_close(output, swiglu(x, w_gate[0], w_up[0], w_down[0]))


@given(seed=seeds)
def test_all_experts_with_weight_one_are_shared(seed: int) -> None:
    x, _, _, *matrices = parts(seed)
    every = torch.arange(E).expand(B, T, E)
    output = mixture.gated_moe_forward(x, every, torch.ones(B, T, E).double(), *matrices)
    assert_close(mixture.shared_experts(x, *matrices), output)


# Laws


@given(seed=seeds)
def test_the_order_of_a_tokens_choices_changes_nothing(seed: int) -> None:
    x, experts, weights, *matrices = parts(seed)
    expected = mixture.gated_moe_forward(x, experts, weights, *matrices)
    turned = mixture.gated_moe_forward(x, experts.flip(-1), weights.flip(-1), *matrices)
    assert_close(turned, expected)


@given(seed=seeds)
def test_tokens_and_sequences_do_not_meet(seed: int) -> None:
    x, experts, weights, *matrices = parts(seed)
    expected = mixture.gated_moe_forward(x, experts, weights, *matrices)
    order = permutation(seed, T)
    moved = mixture.gated_moe_forward(x[:, order], experts[:, order], weights[:, order], *matrices)
    assert_close(moved, expected[:, order])
    one = mixture.gated_moe_forward(x[1], experts[1], weights[1], *matrices)
    assert_close(one, expected[1])
    x[0, 3] = math.nan
    spoilt = mixture.gated_moe_forward(x, experts, weights, *matrices)
    assert spoilt[0, 3].isnan().all()
    assert int(spoilt.isnan().any(-1).sum()) == 1


@given(seed=seeds)
def test_an_expert_chosen_twice_counts_twice(seed: int) -> None:
    x, _, weights, *matrices = parts(seed)
    twice = torch.full((B, T, A), 3)
    output = mixture.gated_moe_forward(x, twice, weights, *matrices)
    assert_close(output, swiglu(x, *(w[3] for w in matrices)))


@given(seed=seeds)
def test_sending_and_combining_is_the_identity(seed: int) -> None:
    x, experts, weights, *_ = parts(seed)
    order, counts = dispatch.expert_dispatch(experts[0], E, 3)
    assert counts.sum() == T * A
    combined = dispatch.expert_combine(x[0][order // A], order, weights[0])
    assert_close(combined, x[0])  # the weights of a token sum to one
    chosen = experts[0].flatten()[order]
    assert (chosen.diff() >= 0).all()
    for e in range(E):
        assert (order[chosen == e].diff() > 0).all()


def test_experts_without_tokens_and_tokens_without_experts() -> None:
    x, experts, weights, *matrices = parts(0)
    leaves = [w.requires_grad_() for w in matrices]
    mixture.gated_moe_forward(x, experts, weights, *leaves).sum().backward()
    for w in leaves:
        assert w.grad is not None
        assert not w.grad[4].any()  # nobody chose it
        assert w.grad[experts.unique()].flatten(1).any(1).all()
    nobody = mixture.gated_moe_forward(x[:, :0], experts[:, :0], weights[:, :0], *matrices)
    assert nobody.shape == (B, 0, C)


# Cost


def test_only_the_chosen_experts_multiply() -> None:
    x, experts, weights, _, w_up, w_down = parts(0)
    with FlopCounterMode(display=False) as counter:
        mixture.moe_forward(x, experts, weights, w_up, w_down)
    assert counter.get_total_flops() == 4 * B * T * A * C * F + 2 * B * T * A * C  # and their sum


def test_the_way_back_makes_no_gradient_of_all_experts_for_each() -> None:
    experts_many, width = 40, 16
    w_up, w_down = normal(0, experts_many, 4, width), normal(1, experts_many, width, 4)
    leaves = [w.requires_grad_() for w in (w_up, w_down)]
    experts = torch.arange(experts_many)[:, None]

    def zeros_made(run: Callable[[], Tensor]) -> int:
        made = 0

        class Counting(Allocations):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore
                nonlocal made
                result = super().__torch_dispatch__(function, types, args, kwargs)
                if isinstance(result, Tensor) and result.numel() >= w_up.numel():
                    made += 1
                return result

        output = run()
        with Counting():
            output.sum().backward()
        return made

    x = normal(2, experts_many, 4)
    once = zeros_made(
        lambda: mixture.moe_forward(x, experts, torch.ones(experts_many, 1).double(), *leaves)
    )

    def in_a_loop() -> Tensor:
        rows = [silu(x[e : e + 1] @ leaves[0][e]) @ leaves[1][e] for e in range(experts_many)]
        return torch.cat(rows)

    assert once <= 6  # one gradient for each of the two tensors, and what is added up
    assert zeros_made(in_a_loop) > 2 * experts_many  # what the measurement would show


def test_half_precision_is_summed_in_float32() -> None:
    many = 300
    received = torch.ones(many, 1, dtype=torch.bfloat16)
    weights = torch.ones(1, many, dtype=torch.bfloat16)
    output = dispatch.expert_combine(received, torch.arange(many), weights)
    assert output.dtype == torch.bfloat16
    assert output.item() == 300  # a sum in bfloat16 stops at 256


# Gradients and purity

SMALL = normal(0, 3, 2), normal(1, 3, 2), normal(2, 3, 2, 2), normal(3, 3, 2, 2), normal(4, 3, 2, 2)
CHOICES = torch.tensor([[0, 2], [2, 0], [0, 0]])
CASES: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
    "moe_forward": (
        lambda x, p, u, d: mixture.moe_forward(x, CHOICES, p, u, d),
        (SMALL[0], SMALL[1], SMALL[2], SMALL[3]),
    ),
    "gated_moe_forward": (
        lambda x, p, g, u, d: mixture.gated_moe_forward(x, CHOICES, p, g, u, d),
        SMALL,
    ),
    "shared_experts": (mixture.shared_experts, (SMALL[0], *SMALL[2:])),
    "grouped_matmul": (
        lambda x, w: mixture.grouped_matmul(x, torch.tensor([2, 0, 1]), w),
        (SMALL[0], SMALL[2]),
    ),
    "expert_combine": (
        lambda r, w: dispatch.expert_combine(r, torch.tensor([3, 1, 0, 2]), w),
        (normal(0, 4, 2), normal(1, 2, 2)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient_and_purity(name: str) -> None:
    function, tensors = CASES[name]
    inputs = tuple(x.clone().requires_grad_() for x in tensors)
    assert torch.autograd.gradcheck(function, inputs)
    assert all(torch.equal(x, y) for x, y in zip(inputs, tensors, strict=True))


# Errors

X, IDS, P = torch.zeros(3, 2), torch.zeros(3, 2).long(), torch.zeros(3, 2)
W = torch.zeros(4, 2, 5)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: mixture.moe_forward(X, IDS + 4, P, W, W.mT),
            "from 0 to E - 1, and E is 4; experts has 4; shape (3, 2)",
        ),
        (
            lambda: mixture.moe_forward(X, IDS[:2], P, W, W.mT),
            "all axes but the last agree; shapes (3, 2), (2, 2) and (3, 2)",
        ),
        (
            lambda: mixture.moe_forward(X, IDS, P[:, :1], W, W.mT),
            "a token has 2 choices and 1 weights; shapes (3, 2) and (3, 1)",
        ),
        (
            lambda: mixture.moe_forward(X, IDS, P, W.mT, W),
            "a row has 2 and a matrix 5; shapes (6, 2) and (4, 5, 2)",
        ),
        (
            lambda: mixture.moe_forward(X, IDS, P, W, W[:3].mT),
            "there are 6 rows and 3 matrices, and 4 counts that add up to 6",
        ),
        (lambda: mixture.moe_forward(X, IDS.float(), P, W, W.mT), "experts is torch.float32"),
        (
            lambda: mixture.moe_forward(X.double(), IDS, P, W, W.mT),
            "rows is torch.float64 and weights torch.float32; shapes (6, 2) and (4, 2, 5)",
        ),
        (
            lambda: mixture.grouped_matmul(X, torch.tensor([2, 2, -1, 0]), W),
            "there are 3 rows and 4 matrices, and 4 counts that add up to 3",
        ),
        (lambda: mixture.shared_experts(X, W[0], W, W.mT), "w_gate has the axes E _ _, 3 in num"),
        (lambda: dispatch.expert_dispatch(IDS, 4, 3), "same number of experts; E is 4 and P is 3"),
        (
            lambda: dispatch.expert_combine(torch.zeros(5, 2), torch.arange(6), P),
            "there are 5 results, 6 places and 6 weights; shapes (5, 2), (6,) and (3, 2)",
        ),
    ],
)
def test_refusals_name_both_sizes(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
