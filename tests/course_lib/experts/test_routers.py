"""Routers and what balances them: equal to their loops, lawful, clear when refused."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, C, arrays, assert_equals_twin, normal, permutation, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.experts import balance, capacity, expert_choice, router
from course_lib.naive.experts import balance as naive_balance
from course_lib.naive.experts import capacity as naive_capacity
from course_lib.naive.experts import expert_choice as naive_expert_choice
from course_lib.naive.experts import router as naive

L, T, E, A = 3, 7, 6, 2


def tokens_and_gate(seed: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    return normal(seed, T, C, dtype=dtype), normal(seed + 1, C, E, dtype=dtype)


def chosen(seed: int, *rows: int) -> Tensor:
    """A different experts a token; expert 4 never."""
    return router.choose(normal(seed, *rows, E).index_fill(-1, torch.tensor(4), -math.inf), A)


def assert_routed(result: tuple[Tensor, Tensor], expected: tuple[np.ndarray, np.ndarray]) -> None:
    assert torch.equal(result[0], torch.from_numpy(expected[0]))
    assert_equals_twin(result[1], torch.from_numpy(expected[1]), result[1].dtype)


# Equal to the twins


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("choices", [1, 2, 5, 6])
@pytest.mark.parametrize("biased", [True, False])
def test_routers_equal_their_loops(choices: int, biased: bool, dtype: torch.dtype) -> None:
    x, w_gate = tokens_and_gate(0, dtype)
    bias = normal(2, E, dtype=dtype) if biased else None
    given_arrays = [*arrays(x, w_gate), choices, arrays(bias)[0] if biased else None]
    assert_routed(router.topk_router(x, w_gate, choices, bias), naive.topk_router(*given_arrays))
    assert_routed(
        router.sigmoid_router(x, w_gate, choices, bias), naive.sigmoid_router(*given_arrays)
    )


@pytest.mark.parametrize(("groups", "kept"), [(3, 1), (3, 2), (2, 1), (6, 3), (1, 1), (3, 3)])
def test_groups_equal_their_loops(groups: int, kept: int) -> None:
    x, w_gate = tokens_and_gate(0)
    bias = normal(2, E)
    result = router.grouped_sigmoid_router(x, w_gate, A, bias, groups, kept)
    expected = naive.grouped_sigmoid_router(*arrays(x, w_gate), A, *arrays(bias), groups, kept)
    assert_routed(result, expected)
    priorities = normal(3, T, E)
    limited = router.limit_groups(priorities, groups, kept)
    for row, one in zip(limited, priorities, strict=True):
        assert_close(row, torch.from_numpy(naive.limit_groups(*arrays(one), groups, kept)))


def test_choose_equals_its_loops_and_takes_the_first_of_equals() -> None:
    priorities = normal(0, T, E).round()  # full of ties
    for row in priorities:
        assert router.choose(row, 4).tolist() == naive.choose(*arrays(row), 4).tolist()
    assert router.choose(torch.zeros(500), 3).tolist() == [0, 1, 2]


def test_balance_equals_its_loops() -> None:
    logits, experts = normal(0, L, T, E), chosen(1, L, T)
    keep = torch.tensor([True, False, True, True, False, True, True])
    for mask in (None, keep):
        expected = naive_balance.load_balance_loss(
            *arrays(logits), experts.numpy(), None if mask is None else mask.numpy()
        )
        actual = balance.load_balance_loss(logits, experts, mask).item()
        assert math.isclose(actual, expected, rel_tol=1e-12)
    expected = naive_balance.router_z_loss(*arrays(logits[0]))
    assert math.isclose(balance.router_z_loss(logits[0]).item(), expected, rel_tol=1e-12)
    load = balance.expert_load(experts, E)
    assert load.tolist() == naive_balance.expert_load(experts.flatten().numpy(), E).tolist()
    assert load[4] == 0
    bias = normal(2, E)
    assert_close(
        balance.bias_update(load, bias, 0.1),
        torch.from_numpy(naive_balance.bias_update(load.numpy(), *arrays(bias), 0.1)),
    )
    expected = naive_balance.max_violation(load.numpy())
    assert math.isclose(balance.max_violation(load), expected, rel_tol=1e-12)


@given(seed=seeds, factor=st.sampled_from([0.5, 1.0, 1.1, 1.25, 2.0, 3.0]))
def test_capacity_equals_its_loops(seed: int, factor: float) -> None:
    experts, weights = chosen(seed, B, T), normal(seed + 1, B, T, A)
    slots = capacity.capacity_dispatch(experts, E, factor)
    dropped = capacity.drop_overflow(weights, slots)
    for b in range(B):
        expected = naive_capacity.capacity_dispatch(experts[b].numpy(), E, factor)
        assert slots[b].tolist() == expected.tolist()
        kept = naive_capacity.drop_overflow(*arrays(weights[b]), expected)
        assert_close(dropped[b], torch.from_numpy(kept))


@given(t=st.integers(1, 40), a=st.integers(1, 4), e=st.integers(1, 9))
def test_room_equals_its_loop(t: int, a: int, e: int) -> None:
    for factor in (0.3, 1.0, 1.1, 1.2, 1.25, 2.0):
        room = capacity.expert_capacity(t, a, e, factor)
        assert room == naive_capacity.expert_capacity(t, a, e, factor)


def test_expert_choice_equals_its_loops() -> None:
    x, w_gate = tokens_and_gate(0)
    tokens, weights = expert_choice.expert_choice(x, w_gate, 3)
    assert_routed((tokens, weights), naive_expert_choice.expert_choice(*arrays(x, w_gate), 3))
    w_up, w_down = normal(2, E, C, 5), normal(3, E, 5, C)
    output = expert_choice.expert_choice_forward(x, tokens, weights, w_up, w_down)
    expected = naive_expert_choice.expert_choice_forward(
        *arrays(x), tokens.numpy(), *arrays(weights, w_up, w_down)
    )
    assert_equals_twin(output, torch.from_numpy(expected), torch.float64)


# Laws


@given(seed=seeds, shift=st.floats(-1e4, 1e4))
def test_shifting_all_logits_changes_no_choice_and_no_weight(seed: int, shift: float) -> None:
    x, w_gate = tokens_and_gate(seed)
    one = torch.cat([x, torch.ones(T, 1).double()], 1)
    raised = torch.cat([w_gate, torch.full((1, E), shift).double()])
    assert_close(router.topk_router(one, raised, A), router.topk_router(x, w_gate, A))


@given(seed=seeds)
def test_numbering_the_experts_anew_numbers_the_choices_anew(seed: int) -> None:
    x, w_gate = tokens_and_gate(seed)
    bias, order = normal(seed + 2, E), permutation(seed, E)
    for route in (router.topk_router, router.sigmoid_router):
        experts, weights = route(x, w_gate, A, bias)
        renamed, again = route(x, w_gate[:, order], A, bias[order])
        assert torch.equal(order[renamed], experts)
        assert_close(again, weights)


@given(seed=seeds)
def test_a_bias_chooses_and_does_not_weigh(seed: int) -> None:
    x, w_gate = tokens_and_gate(seed)
    bias = torch.zeros(E).double().index_fill(0, torch.tensor(3), 1e3)
    logits = (x @ w_gate).detach()
    for route, affinity in (
        (router.topk_router, logits.exp()),
        (router.sigmoid_router, logits.sigmoid()),
    ):
        experts, weights = route(x, w_gate, A, bias)
        assert (experts[:, 0] == 3).all()
        read = affinity.gather(1, experts)
        assert_close(weights, read / read.sum(1, keepdim=True))


@given(seed=seeds)
def test_weights_sum_to_one_and_one_choice_has_all(seed: int) -> None:
    x, w_gate = tokens_and_gate(seed)
    for route in (router.topk_router, router.sigmoid_router):
        assert_close(route(x, w_gate, 3)[1].sum(-1), torch.ones(T).double())
        assert_close(route(x, w_gate, 1)[1], torch.ones(T, 1).double())
    every = router.topk_router(x, w_gate, E)
    assert_close(every[1], (x @ w_gate).softmax(-1).gather(1, every[0]))


@given(seed=seeds)
def test_one_group_or_all_groups_limit_nothing(seed: int) -> None:
    x, w_gate = tokens_and_gate(seed)
    bias = normal(seed + 2, E)
    expected = router.sigmoid_router(x, w_gate, A, bias)
    for groups in (1, 2, 3, 6):
        assert_close(router.grouped_sigmoid_router(x, w_gate, A, bias, groups, groups), expected)
    one, _ = router.grouped_sigmoid_router(x, w_gate, A, bias, 3, 1)
    assert (one // 2 == one[:, :1] // 2).all()


def test_balance_is_a_at_balance_and_more_elsewhere() -> None:
    even = torch.arange(E).repeat(A)[: E * A].view(1, E, A)  # every expert A times in E tokens
    assert_close(balance.load_balance_loss(torch.zeros(1, E, E), even), torch.tensor(float(A)))
    one = torch.zeros(1, T, 1, dtype=torch.int64)
    sure = torch.zeros(1, T, E).index_fill(2, torch.tensor(0), 100.0)
    assert_close(balance.load_balance_loss(sure, one), torch.tensor(float(E)))
    assert balance.max_violation(balance.expert_load(one, E)) == E - 1
    assert balance.max_violation(torch.tensor([2, 2, 2])) == 0


@given(seed=seeds)
def test_padding_that_is_left_out_has_no_influence(seed: int) -> None:
    logits, experts = normal(seed, L, T, E), chosen(seed + 1, L, T)
    keep = torch.arange(T) < 4
    expected = balance.load_balance_loss(logits[:, :4], experts[:, :4])
    logits[:, 4:], experts[:, 4:] = math.nan, 5
    logits.requires_grad_()
    loss = balance.load_balance_loss(logits, experts, keep)
    assert_close(loss, expected)
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[:, 4:].any()


def test_layers_do_not_cancel() -> None:
    # Layer 0 sends all to expert 0, layer 1 all to expert 1: together they look balanced.
    experts = torch.tensor([[[0]] * T, [[1]] * T])
    logits = torch.nn.functional.one_hot(experts[..., 0], 2).double() * 50
    assert_close(balance.load_balance_loss(logits, experts), torch.tensor(2.0).double())


@pytest.mark.parametrize("seed", range(3))
def test_the_bias_brings_balance(seed: int) -> None:
    x, w_gate = normal(seed, 400, C), normal(seed + 1, C, E)
    x = torch.cat([x, torch.ones(400, 1).double()], 1)  # and expert 5 is liked by all
    w_gate = torch.cat([w_gate, torch.tensor([[0, 0, 0, 0, 0, 5.0]]).double()])
    bias = torch.zeros(E).double()
    start = balance.max_violation(balance.expert_load(router.sigmoid_router(x, w_gate, A)[0], E))
    for step in range(100):
        experts, _ = router.sigmoid_router(x, w_gate, A, bias)
        bias = balance.bias_update(balance.expert_load(experts, E), bias, 0.1 / (1 + step / 10))
    end = balance.max_violation(balance.expert_load(experts, E))
    assert start > 0.5
    assert end < 0.2


@given(seed=seeds, factor=st.sampled_from([0.5, 1.0, 1.25]))
def test_slots_are_taken_once_and_by_the_earlier(seed: int, factor: float) -> None:
    experts = chosen(seed, B, T)
    slots = capacity.capacity_dispatch(experts, E, factor)
    room = capacity.expert_capacity(T, A, E, factor)
    assert slots.max() < room
    for b in range(B):
        for e in range(E):
            mine = (experts[b] == e).mT.flatten()  # first choices first
            got = slots[b].mT.flatten()[mine]
            n = min(len(got), room)
            assert got.tolist() == [*range(n), *[-1] * (len(got) - n)]
    everybody = capacity.capacity_dispatch(experts, E, float(E))
    assert (everybody >= 0).all()


@given(seed=seeds)
def test_a_later_token_takes_no_slot_of_the_same_rank(seed: int) -> None:
    experts = chosen(seed, 1, T)
    slots = capacity.capacity_dispatch(experts, E, 1.0)
    changed = experts.clone()
    changed[0, -1] = (experts[0, -1] + 1) % E
    again = capacity.capacity_dispatch(changed, E, 1.0)
    assert torch.equal(slots[0, :-1, 0], again[0, :-1, 0])


def test_experts_choose_with_an_eye_on_later_tokens() -> None:
    x, w_gate = tokens_and_gate(0)
    before, _ = expert_choice.expert_choice(x, w_gate, 2)
    x[-1] *= 50.0
    after, _ = expert_choice.expert_choice(x, w_gate, 2)
    lost = {int(t) for t in before.flatten()} - {int(t) for t in after.flatten()} - {T - 1}
    moved = not torch.equal(
        before.masked_fill(before == T - 1, -1), after.masked_fill(after == T - 1, -1)
    )
    assert moved
    assert lost or moved
    assert (after.sort(1).values.diff(dim=1) > 0).all()  # no token twice for one expert


def test_a_token_that_nobody_chose_gets_zeros() -> None:
    x, w_gate = tokens_and_gate(0)
    tokens, weights = expert_choice.expert_choice(x, w_gate, 1)
    output = expert_choice.expert_choice_forward(
        x, tokens, weights, normal(2, E, C, 5), normal(3, E, 5, C)
    )
    unchosen = sorted(set(range(T)) - set(tokens.flatten().tolist()))
    assert unchosen
    assert not output[unchosen].any()


# Precision and gradients


def test_half_precision_routes_in_float32() -> None:
    x = torch.tensor([[1.0, 2.0**-9]]).bfloat16()
    w_gate = torch.tensor([[1.0, 1.0], [0.0, 1.0]]).bfloat16()
    experts, weights = router.topk_router(x, w_gate, 1)
    assert experts.tolist() == [[1]]  # the logits 1 and 1 + 2⁻⁹ are one number in bfloat16
    assert weights.dtype == torch.bfloat16
    loss = balance.load_balance_loss(
        torch.zeros(1, 300, 2).bfloat16(), torch.zeros(1, 300, 1).long()
    )
    assert (loss.dtype, loss.item()) == (torch.float32, 1.0)


def test_huge_logits_are_routed() -> None:
    x, w_gate = torch.tensor([[1e4]]), torch.tensor([[1.0, -1.0, 0.5]])
    assert router.topk_router(x, w_gate, 2)[1].tolist() == [[1.0, 0.0]]
    weights = router.sigmoid_router(-x.abs(), torch.ones(1, 3), 2)[1]
    assert weights.tolist() == [[0.0, 0.0]]  # every affinity is zero: no 0 / 0


SMALL = normal(0, 3, 2), normal(1, 2, 4)
TOKENS = torch.tensor([[0, 2], [2, 1]])
GRADIENTS: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
    "topk_router": (lambda x, w: router.topk_router(x, w, 2)[1], SMALL),
    "sigmoid_router": (lambda x, w: router.sigmoid_router(x, w, 2)[1], SMALL),
    "grouped_sigmoid_router": (
        lambda x, w: router.grouped_sigmoid_router(x, w, 2, torch.zeros(4).double(), 2, 1)[1],
        SMALL,
    ),
    "expert_choice": (lambda x, w: expert_choice.expert_choice(x, w, 2)[1], SMALL),
    "expert_choice_forward": (
        lambda x, p, u, d: expert_choice.expert_choice_forward(x, TOKENS, p, u, d),
        (normal(0, 3, 2), normal(1, 2, 2), normal(2, 2, 2, 3), normal(3, 2, 3, 2)),
    ),
    "load_balance_loss": (
        lambda z: balance.load_balance_loss(z, torch.tensor([[[0, 1], [3, 1], [1, 2]]])),
        (normal(0, 1, 3, 4),),
    ),
    "router_z_loss": (balance.router_z_loss, (normal(0, 3, 4),)),
    "drop_overflow": (
        lambda w: capacity.drop_overflow(w, torch.tensor([[[0, -1], [1, 0]]])),
        (normal(0, 1, 2, 2),),
    ),
    "limit_groups": (
        lambda p: router.limit_groups(p, 2, 1).clamp(min=-9.0), (normal(0, 3, 4),)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient_and_purity(name: str) -> None:
    function, tensors = GRADIENTS[name]
    inputs = tuple(x.clone().requires_grad_() for x in tensors)
    assert torch.autograd.gradcheck(function, inputs)
    assert all(torch.equal(x, y) for x, y in zip(inputs, tensors, strict=True))


def test_the_counted_share_has_no_gradient() -> None:
    # P alone is differentiated: the gradient of a logit is that of E f · P.
    logits = normal(0, 1, T, E).requires_grad_()
    experts = chosen(1, 1, T)
    share = balance.expert_load(experts, E) / T
    (actual,) = torch.autograd.grad(balance.load_balance_loss(logits, experts), logits)
    (expected,) = torch.autograd.grad((E * share * logits.softmax(-1).mean(1)).sum(), logits)
    assert_close(actual, expected)


# Errors


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: router.topk_router(*tokens_and_gate(0), 7), "A is 7 and E is 6"),
        (lambda: router.choose(torch.zeros(3), 0), "so A >= 1; A is 0; A = 0, E = 3"),
        (
            lambda: router.topk_router(*tokens_and_gate(0), 2, torch.zeros(5).double()),
            "E=6 columns and the bias 5 numbers; shapes (11, 6) and (5,)",
        ),
        (lambda: router.topk_router(normal(0, T, 4), normal(1, C, E), 2), "has 4 and w_gate 11"),
        (
            lambda: router.limit_groups(torch.zeros(2, 6), 4, 1),
            "E is 6, num_groups 4 and groups_kept 1",
        ),
        (
            lambda: router.limit_groups(torch.zeros(2, 6), 3, 4),
            "E is 6, num_groups 3 and groups_kept 4",
        ),
        (
            lambda: router.grouped_sigmoid_router(
                *tokens_and_gate(0), 3, torch.zeros(6).double(), 3, 1
            ),
            "they hold 2 and A is 3, with num_groups = 3, groups_kept = 1",
        ),
        (
            lambda: balance.expert_load(torch.tensor([0, 6]), 6),
            "E is 6; experts has 6; shape (2,)",
        ),
        (lambda: balance.expert_load(torch.tensor([0, -1]), 6), "experts has -1; shape (2,)"),
        (
            lambda: balance.load_balance_loss(torch.zeros(1, 4, 3), torch.zeros(1, 5, 1).long()),
            "layers and tokens and experts (1, 5); shapes (1, 4, 3) and (1, 5, 1)",
        ),
        (
            lambda: balance.load_balance_loss(
                torch.zeros(1, 2, 3), torch.zeros(1, 2, 1).long(), torch.zeros(2).bool()
            ),
            "there are 2 tokens, and keep is torch.bool with 0 of 2 entries True",
        ),
        (lambda: balance.router_z_loss(torch.zeros(0, 3)), "at least one token; shape (0, 3)"),
        (
            lambda: balance.bias_update(torch.zeros(3), torch.zeros(2), 0.1),
            "there are 3 loads and 2 biases; shapes (3,) and (2,)",
        ),
        (lambda: balance.max_violation(torch.zeros(3)), "so total >= 1; total is 0"),
        (
            lambda: capacity.expert_capacity(3, 2, 4, 0.0),
            "a capacity factor is positive and finite; factor is 0.0",
        ),
        (
            lambda: capacity.drop_overflow(torch.zeros(1, 2, 2), torch.zeros(1, 2, 1).long()),
            "there are 4 weights and 2 slots; shapes (1, 2, 2) and (1, 2, 1)",
        ),
        (
            lambda: expert_choice.expert_choice(*tokens_and_gate(0), 8),
            "capacity is 8 and T is 7; shape (7, 11)",
        ),
        (
            lambda: expert_choice.expert_choice_forward(
                normal(0, 3, 2),
                torch.tensor([[3]]),
                normal(1, 1, 1),
                normal(2, 1, 2, 4),
                normal(3, 1, 4, 2),
            ),
            "T is 3; tokens has 3; shape (1, 1)",
        ),
        (
            lambda: expert_choice.expert_choice_forward(
                normal(0, 3, 2),
                torch.tensor([[2]]),
                normal(1, 1, 2),
                normal(2, 1, 2, 4),
                normal(3, 1, 4, 2),
            ),
            "as many weights as tokens; shapes (1, 1) and (1, 2)",
        ),
    ],
)
def test_refusals_name_both_sizes(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
