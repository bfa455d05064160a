"""The softmax and its relatives against PyTorch's own kernels, autograd and distributions."""

import math

import pytest
import torch
from hypothesis import given
from strategies import B, H, S, T, mask, normal, seeds
from torch.testing import assert_close

from course_lib.entropy import entropy, weight_entropy
from course_lib.online_softmax import online_softmax_update
from course_lib.softmax import (
    log_softmax,
    logsumexp,
    masked_softmax,
    softmax,
    softmax_vjp,
    softmax_with_sink,
)

AXES = (-1, 0, 1)
DTYPES = (torch.float32, torch.float64)
NAN_ROW = torch.tensor([[-math.inf, -math.inf], [1.0, -math.inf], [math.inf, 0.0]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", AXES)
def test_rows(axis: int, dtype: torch.dtype) -> None:
    for scale in (1.0, 1e4):
        x = scale * normal(0, B, T, S, dtype=dtype)
        assert_close(softmax(x, axis), torch.softmax(x, axis))
        assert_close(log_softmax(x, axis), torch.log_softmax(x, axis))
        assert_close(logsumexp(x, axis), torch.logsumexp(x, axis))


def test_infinite_scores_do_what_they_do_in_torch() -> None:
    assert_close(softmax(NAN_ROW), torch.softmax(NAN_ROW, -1), equal_nan=True)
    assert_close(log_softmax(NAN_ROW), torch.log_softmax(NAN_ROW, -1), equal_nan=True)
    assert_close(logsumexp(NAN_ROW[:2]), torch.logsumexp(NAN_ROW[:2], -1))


@given(seed=seeds)
def test_softmax_vjp_is_what_autograd_computes(seed: int) -> None:
    for axis in AXES:
        scores = (3 * normal(seed, B, T, S)).requires_grad_()
        weights, gradient = torch.softmax(scores, axis), normal(seed + 1, B, T, S)
        (expected,) = torch.autograd.grad(weights, scores, gradient)
        assert_close(softmax_vjp(weights.detach(), gradient, axis), expected)


@given(seed=seeds)
def test_gradients_of_the_relatives(seed: int) -> None:
    scores = (3 * normal(seed, T, S)).requires_grad_()
    for ours, theirs in (
        (log_softmax(scores), torch.log_softmax(scores, -1)),
        (logsumexp(scores), torch.logsumexp(scores, -1)),
        (weight_entropy(scores), torch.distributions.Categorical(logits=scores).entropy()),
    ):
        gradient = normal(seed + 1, *ours.shape)
        (actual,) = torch.autograd.grad(ours, scores, gradient, retain_graph=True)
        (expected,) = torch.autograd.grad(theirs, scores, gradient, retain_graph=True)
        assert_close(actual, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_softmax_is_torchs_masked_softmax_with_empty_rows_zeroed(
    dtype: torch.dtype,
) -> None:
    scores, may_attend = 3 * normal(0, B, T, S, dtype=dtype), mask(1, B, T, S)
    blocked = scores.masked_fill(~may_attend, -math.inf)
    expected = torch.softmax(blocked, -1)
    assert expected[:, 0].isnan().all()  # the empty rows
    assert_close(masked_softmax(scores, may_attend)[:, 1:], expected[:, 1:])
    safe = torch.ops.aten._safe_softmax(blocked, -1)
    assert_close(masked_softmax(scores, may_attend), safe)


def test_softmax_with_sink_is_a_softmax_with_one_more_column() -> None:
    scores, sink = 3 * normal(0, B, H, T, S), normal(1, H)
    column = sink[:, None, None].expand(B, H, T, 1)
    expected = torch.softmax(torch.cat([scores, column], -1), -1)[..., :-1]
    assert_close(softmax_with_sink(scores, sink), expected)


def test_logsumexp_is_the_one_that_the_attention_kernel_keeps() -> None:
    D = 8
    query, key, value = normal(0, B, H, T, D), normal(1, B, H, S, D), normal(2, B, H, S, D)
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    _, expected = kernel(query, key, value, 0.0, False)
    scores = torch.einsum("bhtd,bhsd->bhts", query, key) / math.sqrt(D)
    assert_close(logsumexp(scores), expected)
    maximum = torch.full((B, H, T), -math.inf, dtype=torch.float64)
    normaliser = torch.zeros(B, H, T, dtype=torch.float64)
    for block in scores.split(2, dim=-1):
        maximum, normaliser = online_softmax_update(maximum, normaliser, block)
    assert_close(maximum + normaliser.log(), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_entropies(dtype: torch.dtype) -> None:
    scores = 3 * normal(0, B, T, S, dtype=dtype)
    expected = torch.distributions.Categorical(logits=scores).entropy()
    assert_close(weight_entropy(scores), expected)
    assert_close(entropy(torch.softmax(scores, -1)), expected)
    one_hot = torch.eye(S, dtype=dtype)
    assert_close(entropy(one_hot), torch.zeros(S, dtype=dtype))
