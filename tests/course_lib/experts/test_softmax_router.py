"""Shares of one softmax among groups: equal to the loops, and never more than one in all."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from strategies import B, C, arrays, assert_equals_twin, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.experts.router import topk_router
from course_lib.experts.softmax_router import grouped_softmax_router
from course_lib.naive.experts import softmax_router as naive

T, E, A = 7, 8, 3
GROUPS = [(1, 1), (2, 1), (4, 2), (4, 4), (8, 3)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("groups", "kept"), GROUPS)
def test_equals_its_loops(groups: int, kept: int, dtype: torch.dtype) -> None:
    x, w = 2 * normal(0, B, T, C, dtype=dtype), normal(1, C, E, dtype=dtype)
    experts, weights = grouped_softmax_router(x, w, A, groups, kept)
    for row in range(B):
        chosen, shares = naive.grouped_softmax_router(*arrays(x[row], w), A, groups, kept)
        assert experts[row].tolist() == chosen.tolist()
        assert_equals_twin(weights[row], torch.from_numpy(shares), dtype)


@given(seed=seeds)
def test_divided_by_their_sum_they_are_those_of_mixtral(seed: int) -> None:
    x, w = normal(seed, B, T, C), normal(seed + 1, C, E)
    for groups in (1, 4):  # all groups are kept: none is a limit
        experts, weights = grouped_softmax_router(x, w, A, groups, groups)
        expected = topk_router(x, w, A)
        assert torch.equal(experts, expected[0])
        assert_close(weights / weights.sum(-1, keepdim=True), expected[1])
        assert (weights.sum(-1) < 1).all()
    every = grouped_softmax_router(x, w, E, 1, 1)[1].sum(-1)
    assert_close(every, torch.ones_like(every))


@given(seed=seeds)
def test_the_best_expert_is_chosen_and_few_groups_are_visited(seed: int) -> None:
    x, w = normal(seed, B, T, C), normal(seed + 1, C, E)
    experts, _ = grouped_softmax_router(x, w, A, 4, 2)
    assert torch.equal(experts[..., 0], (x @ w).argmax(-1))
    visited = torch.nn.functional.one_hot(experts // 2, 4).amax(-2).sum(-1)
    assert (visited <= 2).all()
    # Its own share decides for a group: here the sum of two would name another one.
    priorities = torch.tensor([[0.5, 0.0, 0.4, 0.4]]).log().clamp(min=-20)
    assert grouped_softmax_router(priorities, torch.eye(4), 1, 2, 1)[0].tolist() == [[0]]


def test_gradients_and_nan_stay_with_their_token() -> None:
    x, w = normal(0, T, C).requires_grad_(), normal(1, C, E).requires_grad_()

    def weights(*leaves: Tensor) -> Tensor:
        return grouped_softmax_router(*leaves, A, 4, 2)[1]

    assert torch.autograd.gradcheck(weights, (x, w))
    spoilt = x.detach().clone()
    spoilt[2] = torch.nan
    is_nan = weights(spoilt, w.detach()).isnan().all(-1)
    assert is_nan.nonzero().tolist() == [[2]]


X, W = normal(0, B, T, C), normal(1, C, E)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: grouped_softmax_router(X, W, E + 1, 1, 1), f"A is {E + 1} and E is {E}"),
        (lambda: grouped_softmax_router(X, W, A, 3, 1), "num_groups 3"),
        (lambda: grouped_softmax_router(X, W, A, 2, 3), "groups_kept 3"),
        (lambda: grouped_softmax_router(X, W, A, 4, 1), "groups_kept 1 and A 3"),
        (lambda: grouped_softmax_router(X, W[:1], A, 1, 1), "x"),
    ],
)
@pytest.mark.usefixtures("without_annotations")
def test_what_does_not_fit(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
