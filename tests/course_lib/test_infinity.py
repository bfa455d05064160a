"""What each function makes of infinities, of NaN, and of numbers whose squares are infinite."""

import math
import re
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import D, H, T, arrays, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.qk_norm import cosine_scores
from course_lib.attention.score_steps import soft_cap
from course_lib.config.attention_parts import SoftCap
from course_lib.config.decoder import EmbeddingScale, LogitFactor
from course_lib.config.rope import LinearScaling
from course_lib.entropy import entropy, weight_entropy
from course_lib.generation.choice import sampler
from course_lib.generation.logits import temperature_logits
from course_lib.layers.activations import gelu, gelu_tanh, relu, silu
from course_lib.layers.norms import layer_norm, rms_norm, rms_norm_unit_offset
from course_lib.naive.generation import logits as naive_logits
from course_lib.online_softmax import online_softmax_update
from course_lib.positions.absolute import learned, sinusoidal
from course_lib.positions.alibi import alibi_bias
from course_lib.positions.rope import (
    halves_to_interleaved,
    interleaved_to_halves,
    rope,
    rope_inv_freq,
    rotate,
)
from course_lib.positions.rope_scaling import (
    interpolated_inv_freq,
    llama3_inv_freq,
    ntk_inv_freq,
    yarn_inv_freq,
    yarn_inv_freq_truncated,
)
from course_lib.positions.rotation_table import rotate_by_table, rotation_table
from course_lib.softmax import (
    log_softmax,
    logsumexp,
    masked_softmax,
    softmax,
    softmax_vjp,
    softmax_with_sink,
)
from course_lib.training.loss import lm_loss

INF, NAN = math.inf, math.nan
DTYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64)
#: Rows with: minus infinities alone, plus infinity, both, NaN, NaN beside plus infinity.
ROWS = ([-INF, -INF], [INF, 1.0], [INF, -INF], [NAN, 1.0], [NAN, INF])


def tensor(*rows: object, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(rows, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_logsumexp(dtype: torch.dtype) -> None:
    expected = tensor(-INF, INF, INF, NAN, NAN, dtype=dtype)
    found = logsumexp(tensor(*ROWS, dtype=dtype))
    assert_close(found, expected, equal_nan=True)
    assert_close(found, torch.logsumexp(tensor(*ROWS), -1).to(dtype), equal_nan=True)
    assert logsumexp(tensor(INF, 1000.0, dtype=dtype)) == INF


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_without_weights_give_nan(dtype: torch.dtype) -> None:
    rows = tensor(*ROWS, dtype=dtype)
    assert softmax(rows).isnan().all()
    assert log_softmax(rows).isnan().all()
    assert weight_entropy(rows).isnan().all()
    assert entropy(tensor(NAN, 0.5, dtype=dtype)).isnan()
    for wrong in (NAN, INF):
        gradient = softmax_vjp(tensor(0.5, 0.5, dtype=dtype), tensor(wrong, 1, dtype=dtype))
        assert not gradient.isfinite().any()
    assert softmax(tensor(-INF, 1.0, dtype=dtype)).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_minus_infinity_is_nothing_to_read(dtype: torch.dtype) -> None:
    rows = tensor(*ROWS, dtype=dtype)
    for may_attend in (torch.ones(5, 2).bool(), torch.tensor([[True, False]])):
        weights = masked_softmax(rows, may_attend)
        assert torch.equal(weights[0], torch.zeros(2, dtype=dtype))
        assert weights[1:, 0].isnan().all()
    assert torch.equal(masked_softmax(rows, torch.zeros(5, 2).bool()), torch.zeros_like(rows))
    sunk = softmax_with_sink(rows, 0.0)
    assert torch.equal(sunk[0], torch.zeros(2, dtype=dtype))
    assert sunk[1:].isnan().all()
    for sink in (INF, NAN):
        assert softmax_with_sink(torch.zeros(1, 2, dtype=dtype), sink).isnan().all()


@given(
    seed=seeds,
    count=st.integers(1, 4),
    kept=st.sampled_from([-INF, INF, NAN, 0.0]),
)
def test_blocks_in_any_order_are_the_logsumexp_of_all(seed: int, count: int, kept: float) -> None:
    scores = normal(seed, T, 2 * count)
    scores[0, seed % (2 * count)] = kept
    scores[1] = -INF
    state = torch.full((T,), -INF).double(), torch.zeros(T).double()
    for block in scores.split(2, dim=-1):
        state = online_softmax_update(*state, block)
    assert_close(state[0] + state[1].log(), logsumexp(scores), equal_nan=True)
    if kept in (INF, -INF):
        assert_close(logsumexp(scores), torch.logsumexp(scores, -1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_activations(dtype: torch.dtype) -> None:
    for activation in (relu, gelu, gelu_tanh, silu):
        assert activation(tensor(INF, dtype=dtype)) == INF
        assert activation(tensor(NAN, dtype=dtype)).isnan()
        lowest = activation(tensor(-INF, dtype=dtype))
        assert lowest == 0 if activation is relu else lowest.isnan()
        ends = tensor(torch.finfo(dtype).min, torch.finfo(dtype).max, dtype=dtype)
        assert torch.equal(activation(ends.requires_grad_()), ends.clamp(min=0.0))
        (gradient,) = torch.autograd.grad(activation(ends).sum(), ends)
        assert gradient.tolist() == [0.0, 1.0]


# Squares that overflow or vanish


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("share", [0.9, 0.5, 0.25])
def test_norms_of_the_largest_numbers(dtype: torch.dtype, share: float) -> None:
    """rms_norm([3e20, 4e20]) is that of [3, 4], and so up to the end of the dtype."""
    for large in (1e20, share * torch.finfo(dtype).max / 4):
        x = tensor([3.0, 4.0], [-1.0, 0.0], dtype=dtype)
        ones, zeros = torch.ones(2, dtype=dtype), torch.zeros(2, dtype=dtype)
        scaled = large * x
        assert scaled.isfinite().all()
        tolerance = {} if dtype != torch.bfloat16 else {"rtol": 2**-6, "atol": 0.0}
        for found, expected in (
            (rms_norm(scaled, ones, 1e-6), rms_norm(x, ones, 0.0)),
            (rms_norm_unit_offset(scaled, zeros, 1e-6), rms_norm(x, ones, 0.0)),
            (layer_norm(scaled, ones, zeros, 1e-5), layer_norm(x, ones, zeros, 0.0)),
        ):
            assert_close(found, expected, **tolerance)


def test_norms_change_no_digit_of_ordinary_numbers() -> None:
    """What is divided out is a power of two: the result is that of the formula as it stands."""
    x, ones = 30 * normal(0, H, D, dtype=torch.float32), torch.ones(D)
    plain = x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
    assert torch.equal(rms_norm(x, ones, 1e-6), plain)
    centred = x - x.mean(-1, keepdim=True)
    plain = centred * (centred.square().mean(-1, keepdim=True) + 1e-5).rsqrt()
    assert torch.equal(layer_norm(x, ones, 0 * ones, 1e-5), plain)


def test_norms_of_the_smallest_numbers() -> None:
    small = tensor([3e-25, 4e-25], dtype=torch.float32)
    ones, zeros = torch.ones(2), torch.zeros(2)
    assert_close(rms_norm(small, ones, 0.0), rms_norm(1e25 * small, ones, 0.0))
    assert_close(layer_norm(small, ones, zeros, 0.0), tensor([-1.0, 1.0], dtype=torch.float32))
    assert_close(rms_norm(small, ones, 1e-6), 1e3 * small, rtol=1e-6, atol=0.0)  # eps is all
    assert rms_norm(0 * small, ones, 0.0).isnan().all()
    assert layer_norm(0 * small, ones, zeros, 0.0).isnan().all()
    assert not rms_norm(0 * small, ones, 1e-6).any()


@pytest.mark.parametrize("wrong", [INF, -INF, NAN])
def test_norms_of_infinity_and_nan(wrong: float) -> None:
    x, ones, zeros = tensor([wrong, 1.0], [3.0, 4.0]), torch.ones(2), torch.zeros(2)
    for result in (
        rms_norm(x, ones, 1e-6),
        rms_norm_unit_offset(x, ones, 1e-6),
        layer_norm(x, ones, zeros, 1e-6),
    ):
        assert result[0].isnan().all()
        assert result[1].isfinite().all()


def test_gradients_of_norms_beyond_the_squares() -> None:
    for scale in (1e200, 1e-160):
        x = (scale * tensor([3.0, 4.0])).requires_grad_()
        rms_norm(x, torch.ones(2).double(), 0.0)[0, 0].backward()
        unit = tensor([3.0, 4.0]).requires_grad_()
        rms_norm(unit, torch.ones(2).double(), 0.0)[0, 0].backward()
        assert x.grad is not None
        assert unit.grad is not None
        assert_close(x.grad * scale, unit.grad)


@pytest.mark.parametrize("scale", [1e-30, 1e-5, 1e3, 1e8, 1e11, 1e15, 1e18, 1e30])
@pytest.mark.parametrize("eps", [0.0, 1e-38, 1e-18])
def test_gradients_of_norms_of_every_size(scale: float, eps: float) -> None:
    """Nothing is divided out of ordinary numbers; where that begins and ends, no gradient shows."""
    factor = tensor(scale, dtype=torch.float32)
    for norm in (
        lambda x, eps: rms_norm(x, torch.ones(3, dtype=x.dtype), eps),
        lambda x, eps: layer_norm(x, torch.ones(3, dtype=x.dtype), torch.zeros_like(x), eps),
    ):
        gradients = []
        for dtype in (torch.float32, torch.float64):
            x = (factor * tensor(3.0, 4.0, -2.0, dtype=torch.float32)).to(dtype).requires_grad_()
            (gradient,) = torch.autograd.grad(norm(x, eps)[0], x)
            gradients.append(gradient.double() * math.hypot(scale, math.sqrt(eps)))
        assert_close(*gradients, rtol=1e-6, atol=1e-6)  # of numbers near 1, in float32


@pytest.mark.parametrize("scale", [1e20, 3e37, 1.0, 1e-25])
def test_cosines_of_any_length(scale: float) -> None:
    query = scale * tensor([3.0, 4.0], dtype=torch.float32)
    assert_close(cosine_scores(query, query, 1.0), torch.ones(1, 1))
    assert_close(
        cosine_scores(query, tensor([1.0, 0.0], dtype=torch.float32), 10.0), torch.tensor([[6.0]])
    )


def test_cosines_of_infinity_and_nan() -> None:
    for wrong in (INF, NAN):
        scores = cosine_scores(tensor([wrong, 1.0], [0.0, 1.0]), tensor([0.0, 1.0]), 5.0)
        assert scores[0].isnan().all()
        assert scores[1].item() == 5.0


# Choices and losses


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("temperature", [1e-3, 1e-5, 1e-38, 1e-46, 1e-308, 5e-324])
def test_a_temperature_near_zero_leaves_the_largest(temperature: float, dtype: torch.dtype) -> None:
    rows = [[-2.0, 7.0, 5.0, -INF], [-300.0, -400.0, -500.0, -600.0], [0.0, 0.0, -9.0, -9.0]]
    logits = tensor(*rows, dtype=dtype)
    cold = temperature_logits(logits, temperature)
    assert cold.dtype == dtype
    weights = softmax(cold.double())
    expected = tensor([0.0, 1.0, 0, 0], [1.0, 0, 0, 0], [0.5, 0.5, 0, 0])
    assert_close(weights, expected)
    choose = sampler(torch.Generator().manual_seed(0), temperature=temperature, top_p=0.9)
    assert choose(logits)[:2].tolist() == [1, 0]
    if dtype == torch.float64:
        for row, result in zip(arrays(*logits), cold, strict=True):
            twin = naive_logits.temperature_logits(row, temperature)
            assert_close(result, torch.from_numpy(twin))


def test_the_loss_of_infinity_and_nan() -> None:
    logits, tokens = torch.zeros(1, 3, 4), torch.tensor([[0, 1, 2]])
    assert lm_loss(logits.index_fill(-1, torch.tensor([3]), -INF), tokens).isfinite()
    assert lm_loss(logits.index_fill(-1, torch.tensor([1]), -INF), tokens) == INF
    for wrong in (INF, NAN):
        spoilt = logits.clone()
        spoilt[0, 1, 3] = wrong
        assert lm_loss(spoilt, tokens).isnan()
        assert lm_loss(spoilt, torch.tensor([[0, 1, -100]])).isfinite()  # that row is not counted


# Numbers that float32 would round to 0 or infinity


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cap", [2.0**-126, 1e-30, 1e30, 3e38])
def test_a_cap_at_the_ends_of_float32_caps(cap: float, dtype: torch.dtype) -> None:
    capped = soft_cap(tensor(0.0, 2.0, -2.0, INF, dtype=dtype), cap)
    expected = tensor(0.0, min(2.0, cap), -min(2.0, cap), cap)
    assert_close(capped, expected.to(dtype), rtol=1e-2 if dtype.itemsize == 2 else 1e-6, atol=0.0)


@pytest.mark.parametrize("far", [1e-320, 1e-40, 1e39, 1e308])
def test_a_number_beyond_float32_is_refused(far: float) -> None:
    name = f"in float32.* is {re.escape(str(far))}"
    for make in (
        lambda: soft_cap(tensor(0.0, 2.0), far),
        lambda: SoftCap(cap=far),
        lambda: EmbeddingScale(factor=far),
        lambda: LogitFactor(factor=far),
    ):
        with pytest.raises(ValueError, match=name):
            make()
    with pytest.raises(ValueError, match=re.escape(f"factor is {far}")):
        LinearScaling(factor=far)


# Positions


@pytest.mark.parametrize("wrong", [INF, -INF, NAN])
def test_a_turn_keeps_infinity_and_nan_in_their_pair(wrong: float) -> None:
    positions, inv_freq = torch.arange(T), rope_inv_freq(6, 100.0)
    x = normal(0, T, 7)
    clean = rotate(x, positions, inv_freq)
    for entry in (1, 4):
        spoilt = x.clone()
        spoilt[:, entry] = wrong
        for turned in (
            rotate(spoilt, positions, inv_freq),
            rotate_by_table(spoilt, rotation_table(positions, inv_freq)),
        ):
            assert not turned[:, [1, 4]].isfinite().any()
            others = [0, 2, 3, 5, 6]
            assert torch.equal(turned[:, others], clean[:, others])
    assert not rope(tensor([1.0, wrong]), torch.tensor([0]), 10.0).isfinite().any()
    moved = interleaved_to_halves(tensor(0.0, wrong, 2.0, 3.0), 4)
    assert_close(moved, tensor(0.0, 2.0, wrong, 3.0), equal_nan=True)
    assert_close(halves_to_interleaved(moved, 4)[1], tensor(wrong)[0], equal_nan=True)
    assert_close(
        learned(tensor([1.0], [wrong]), torch.tensor([1])), tensor([wrong]), equal_nan=True
    )


#: What turns by no angle -> what is said.
TURNS: dict[str, tuple[Callable[[float], object], str]] = {
    "rotation_table": (
        lambda wrong: rotation_table(torch.arange(3), tensor(1.0, wrong)),
        "1 of 2 frequencies are not finite, the first is {}",
    ),
    "rotate": (
        lambda wrong: rotate(normal(0, 3, 4), torch.zeros(3).long(), tensor(wrong, wrong)),
        "2 of 2 frequencies are not finite, the first is {}",
    ),
    "interpolated": (
        lambda wrong: interpolated_inv_freq(tensor(wrong, 1.0), 2.0),
        "1 of 2 frequencies are not finite, the first is {}",
    ),
    "llama3": (
        lambda wrong: llama3_inv_freq(tensor(wrong, 1.0, 1.0), 8.0, 1.0, 4.0, 64),
        "1 of 3 frequencies are not finite, the first is {}",
    ),
    "rope_inv_freq": (lambda wrong: rope_inv_freq(4, wrong), "base is {}"),
    "rope": (lambda wrong: rope(normal(0, 3, 4), torch.arange(3), wrong), "base is {}"),
    "sinusoidal": (lambda wrong: sinusoidal(3, 4, wrong), "base is {}"),
    "ntk": (lambda wrong: ntk_inv_freq(8, wrong, 2.0), "base is {}"),
    "yarn": (lambda wrong: yarn_inv_freq(8, wrong, 64, 4.0, 1.0, 4.0), "base is {}"),
    "yarn, alpha": (lambda wrong: yarn_inv_freq(8, 1e4, 64, 4.0, wrong, 4.0), "alpha is {}"),
    "truncated": (
        lambda wrong: yarn_inv_freq_truncated(8, 1e4, 64, 4.0, 1.0, wrong),
        "beta is {}, context is 64",
    ),
    "concentration": (
        lambda wrong: rotation_table(torch.arange(3), tensor(1.0), wrong),
        "concentration is {}",
    ),
}


@pytest.mark.parametrize("wrong", [INF, -INF, NAN])
@pytest.mark.parametrize("name", TURNS)
def test_nothing_turns_by_infinity_or_nan(name: str, wrong: float) -> None:
    call, message = TURNS[name]
    with pytest.raises(ValueError, match=re.escape(message.format(wrong))):
        call(wrong)


def test_an_angle_that_overflows_is_refused() -> None:
    message = "1 of 2 angles are not finite, and the largest frequency is 1.00000001"
    with pytest.raises(ValueError, match=re.escape(message)):
        rotation_table(torch.tensor([10**9]), tensor(1.0, 1e30, dtype=torch.float32))
    for call in (
        lambda: rope_inv_freq(1000, 5e-324),
        lambda: sinusoidal(3, 1000, 5e-324),
    ):
        with pytest.raises(ValueError, match=r"finite, in float32 too; .*base is 5e-324"):
            call()
    with pytest.raises(ValueError, match=r"alpha is 1e-320, beta is 4\.0, context is 64"):
        yarn_inv_freq_truncated(8, 1e4, 64, 4.0, 1e-320, 4.0)
    with pytest.raises(ValueError, match=r"alpha is 1.0, beta is 1e\+308, context is 64"):
        yarn_inv_freq(8, 1e4, 64, 4.0, 1.0, 1e308)
    with pytest.raises(ValueError, match=r"rotary_dim is 8 and base is 1e\+300"):
        ntk_inv_freq(8, 1e300, 1e30)


def test_positions_are_finite_at_the_ends_of_the_base() -> None:
    for base in (2.0**-126, 3e38):
        assert rope_inv_freq(1000, base).isfinite().all()
        assert sinusoidal(1000, 1000, base).abs().max() <= 1
    for base, factor in ((1e-37, 3e38), (3e38, 3e38)):
        assert ntk_inv_freq(4, base, factor).isfinite().all()
    assert alibi_bias(1, 1, 70_000, dtype=torch.float32).isfinite().all()
    half = alibi_bias(256, 1, 70_000, dtype=torch.float16)
    assert half[0, 0, 0] == -INF  # its slope is near 1, and 70,000 is no float16
    assert half[255].isfinite().all()
