"""Half precision: results and gradients are one rounding away from the exact ones."""

import math
from collections.abc import Callable

import pytest
import torch
from strategies import B, D, H, T, mask, normal
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.dot_product import attention_scores, scaled_dot_product_attention
from course_lib.attention.qk_norm import cosine_scores
from course_lib.attention.score_steps import mask_scores, soft_cap
from course_lib.entropy import entropy, weight_entropy
from course_lib.layers.activations import gelu, gelu_tanh, silu
from course_lib.layers.gates import sigmoid_gate
from course_lib.layers.norms import unit_length
from course_lib.online_softmax import online_softmax_update
from course_lib.precision import at_least_float32
from course_lib.softmax import (
    log_softmax,
    logsumexp,
    masked_softmax,
    softmax,
    softmax_vjp,
    softmax_with_sink,
)
from course_lib.training.loss import lm_loss

HALVES = (torch.bfloat16, torch.float16)
#: The largest relative error of one rounding: half a unit of the last of 8 (11) binary digits.
ROUNDING = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}
KEYS = 1000
ROWS = 3 * normal(0, T, KEYS)
WEIGHTS = normal(4, T, KEYS).softmax(-1)  # none of them rounds to 0 in float16
TOKENS = torch.randint(KEYS, (B, T), generator=torch.Generator().manual_seed(5))

CASES: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
    "softmax": (softmax, (ROWS,)),
    "logsumexp": (logsumexp, (ROWS,)),
    "log_softmax": (log_softmax, (ROWS,)),
    "softmax_vjp": (softmax_vjp, (WEIGHTS, normal(1, T, KEYS))),
    "softmax_with_sink": (softmax_with_sink, (3 * normal(0, H, T, KEYS), normal(1, H))),
    "masked_softmax": (lambda x: masked_softmax(x, mask(1, T, KEYS)), (ROWS,)),
    "entropy": (entropy, (WEIGHTS,)),
    "weight_entropy": (weight_entropy, (ROWS,)),
    "soft_cap": (lambda x: soft_cap(x, 5.0), (ROWS,)),
    "cosine_scores": (lambda q, k: cosine_scores(q, k, 10.0), (ROWS, normal(2, B + T, KEYS))),
    "gelu": (gelu, (ROWS,)),
    "gelu_tanh": (gelu_tanh, (ROWS,)),
    "silu": (silu, (ROWS,)),
    "unit_length": (lambda x: unit_length(x, 1e-6), (ROWS,)),
    "sigmoid_gate": (sigmoid_gate, (ROWS, normal(6, T, KEYS))),
    "lm_loss": (lambda x: lm_loss(x, TOKENS), (3 * normal(3, B, T, KEYS),)),
}


def rounded_once(low: Tensor, exact: Tensor, dtype: torch.dtype) -> None:
    """Within one rounding; 1 % and float16's smallest number for what float32 itself rounds."""
    assert low.dtype == dtype
    allowed = 1.01 * ROUNDING[dtype] * exact.abs() + 2.0**-24
    assert ((low.double() - exact).abs() <= allowed).all()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", CASES)
def test_results_and_gradients_are_rounded_once(name: str, dtype: torch.dtype) -> None:
    function, tensors = CASES[name]
    low = [tensor.to(dtype).requires_grad_() for tensor in tensors]
    high = [tensor.detach().double().requires_grad_() for tensor in low]
    result, exact = function(*low), function(*high)
    rounded_once(result, exact, dtype)
    given = normal(9, *result.shape, dtype=dtype)
    result.backward(given)
    exact.backward(given.double())
    for half, full in zip(low, high, strict=True):
        assert half.grad is not None
        assert full.grad is not None
        rounded_once(half.grad, full.grad, dtype)


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32, torch.float64])
def test_half_precision_alone_is_widened(dtype: torch.dtype) -> None:
    x = normal(0, T, D, dtype=dtype)
    wide = at_least_float32(x)
    assert wide.dtype == (torch.float32 if dtype in HALVES else dtype)
    assert torch.equal(wide.to(dtype), x)
    assert (wide is x) == (dtype not in HALVES)


# What was reported of others, and of us


def test_a_thousand_keys_in_bfloat16_sum_to_one() -> None:
    weights = softmax(torch.zeros(KEYS, dtype=torch.bfloat16))
    assert torch.equal(weights, torch.full((KEYS,), 1 / KEYS).bfloat16())
    # 1/1000 itself is 0.08 % off in bfloat16; a sum that stopped at 256 would have given 3.9.
    assert abs(weights.double().sum().item() - 1) < 1e-3


def test_seventy_thousand_equal_scores_in_float16() -> None:
    scores = torch.zeros(70_000, dtype=torch.float16)
    weights = softmax(scores)
    assert torch.equal(weights, torch.full_like(scores, 1 / 70_000))
    assert_close(logsumexp(scores).item(), math.log(70_000), rtol=2**-11, atol=0)
    assert_close(weight_entropy(scores).item(), math.log(70_000), rtol=2**-11, atol=0)
    assert_close(entropy(weights).item(), math.log(70_000), rtol=3e-3, atol=0)  # of rounded weights


def test_the_loss_of_a_large_vocabulary_in_float16() -> None:
    logits = torch.zeros(1, 2, 128_256, dtype=torch.float16, requires_grad=True)
    loss = lm_loss(logits, torch.tensor([[0, 7]]))
    assert_close(loss.item(), math.log(128_256), rtol=2**-11, atol=0)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 0, 7] == -1


def test_the_tanh_form_of_gelu_far_from_zero() -> None:
    x = torch.tensor([-3.0, -5.0, -6.0], dtype=torch.bfloat16)
    u = [math.sqrt(2 / math.pi) * (entry + 0.044715 * entry**3) for entry in x.tolist()]
    exact = x.double() / (1 + torch.tensor([math.exp(-2 * entry) for entry in u]).double())
    assert_close(gelu_tanh(x).double(), exact, rtol=2**-8, atol=0)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        far = torch.tensor([-6e4, -256.0, 256.0, 6e4], dtype=dtype, requires_grad=True)
        gelu_tanh(far).sum().backward()
        assert far.grad is not None
        assert far.grad.tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32, torch.float64])
def test_a_readable_score_as_low_as_the_lowest_number(dtype: torch.dtype) -> None:
    lowest = torch.finfo(dtype).min
    scores = torch.tensor([[lowest, 0.0, 7.0], [lowest, lowest, lowest]], dtype=dtype)
    may_attend = torch.tensor([[True, False, False], [True, True, False]])
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]], dtype=dtype)
    assert torch.equal(masked_softmax(scores, may_attend), expected)
    assert torch.equal(softmax(mask_scores(scores, may_attend)), expected)
    assert torch.equal(softmax_with_sink(mask_scores(scores, may_attend), -math.inf), expected)


def test_a_running_sum_needs_float32_between_the_blocks() -> None:
    block, lowest = torch.zeros(1, dtype=torch.bfloat16), torch.tensor(-math.inf)
    wide = lowest, torch.tensor(0.0)
    narrow = lowest.bfloat16(), torch.tensor(0.0).bfloat16()
    for _ in range(KEYS):
        wide, narrow = online_softmax_update(*wide, block), online_softmax_update(*narrow, block)
    assert wide == (0.0, KEYS)
    assert narrow == (0.0, 256.0)  # what the docstring warns of
    assert wide[1].dtype == torch.float32
    assert narrow[1].dtype == torch.bfloat16
    maximum, normaliser = online_softmax_update(*narrow, torch.zeros(KEYS).bfloat16())
    assert_close(normaliser.item(), 1256.0, rtol=2**-8, atol=0)
    assert maximum == 0


def test_attention_in_half_precision_has_scores_of_its_dtype() -> None:
    key = torch.full((2, 1), 300.0, dtype=torch.float16)
    assert attention_scores(key, key).tolist() == [[math.inf] * 2] * 2  # 90,000 is beyond float16
    assert attention_scores(key.bfloat16(), key.bfloat16()).isfinite().all()
    for dtype in HALVES:
        tensors = normal(0, T, D), normal(1, KEYS, D), normal(2, KEYS, 1)
        low = scaled_dot_product_attention(*(tensor.to(dtype) for tensor in tensors))
        assert {part.dtype for part in low} == {dtype}
        # Each weight is rounded once or, with its score, twice; what they sum to is 1 nearly.
        total = low[1].double().sum(-1)
        assert_close(total, torch.ones_like(total), rtol=0, atol=ROUNDING[dtype])
