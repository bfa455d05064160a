"""The norms: equal to their loops, lawful, differentiable, exact in half precision."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from strategies import B, C, H, T, along, normal, seeds, shifts
from torch import Tensor
from torch.testing import assert_close

from course_lib.layers import norms as lib
from course_lib.naive.layers import norms as naive

NAMES = ("layer_norm", "rms_norm", "rms_norm_unit_offset")
DTYPES = (torch.float32, torch.float64)
#: The largest relative error of one rounding: half a unit of the last of 8 (11) binary digits.
ROUNDING = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}


def parameters(name: str, size: int = C, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    count = 2 if name == "layer_norm" else 1
    return [normal(seed, size, dtype=dtype) for seed in range(7, 7 + count)]


def norm(name: str, x: Tensor, *parts: Tensor, eps: float) -> Tensor:
    return getattr(lib, name)(x, *parts, eps)


def loops(name: str, x: Tensor, *parts: Tensor, eps: float) -> Tensor:
    arrays = [tensor.double().numpy() for tensor in parts]
    return along(lambda row: getattr(naive, name)(row, *arrays, eps), -1, x)


def plain(name: str, x: Tensor, eps: float) -> Tensor:
    """The norm with a gain of one and no shift."""
    ones, zeros = torch.ones_like(x[(0,) * (x.ndim - 1)]), torch.zeros_like(x[(0,) * (x.ndim - 1)])
    if name == "layer_norm":
        return lib.layer_norm(x, ones, zeros, eps)
    return getattr(lib, name)(x, ones if name == "rms_norm" else zeros, eps)


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
@pytest.mark.parametrize("name", NAMES)
def test_norms_equal_their_loops(name: str, scale: float, dtype: torch.dtype) -> None:
    """At 1e-3 the mean square is as large as eps: only inside the root does eps do right."""
    x, parts = scale * normal(0, B, H, T, C, dtype=dtype), parameters(name, dtype=dtype)
    expected = loops(name, x, *parts, eps=1e-6).to(dtype)
    assert_close(norm(name, x, *parts, eps=1e-6), expected)


@pytest.mark.parametrize("shape", [(C,), (1, C), (B, 1, C), (0, C), (T, 1)])
@pytest.mark.parametrize("name", NAMES)
def test_any_leading_axes_will_do(name: str, shape: tuple[int, ...]) -> None:
    x, parts = normal(0, *shape), parameters(name, shape[-1])
    result = norm(name, x, *parts, eps=1e-5)
    assert result.shape == shape
    if 0 not in shape:
        assert_close(result, loops(name, x, *parts, eps=1e-5))


# Laws


@given(seed=seeds, shift=shifts)
def test_layer_norm_does_not_see_a_shift(seed: int, shift: float) -> None:
    x = normal(seed, T, C)
    # The shift costs digits: 1e4 leaves 12 of 16.
    assert_close(
        plain("layer_norm", x + shift, 1e-5), plain("layer_norm", x, 1e-5), rtol=1e-7, atol=1e-9
    )


@given(seed=seeds)
@pytest.mark.parametrize("name", NAMES)
def test_norms_do_not_see_a_positive_factor(name: str, seed: int) -> None:
    x = normal(seed, T, C)
    assert_close(plain(name, 3e4 * x, 0.0), plain(name, x, 0.0))
    assert_close(plain(name, -x, 0.0), -plain(name, x, 0.0))


@given(seed=seeds)
def test_results_have_the_size_that_they_are_named_for(seed: int) -> None:
    x = normal(seed, T, C) + 2.0
    one, zero = torch.ones(T, dtype=x.dtype), torch.zeros(T, dtype=x.dtype)
    result = plain("layer_norm", x, 0.0)
    assert_close(result.mean(-1), zero)
    assert_close(result.var(-1, correction=0), one)
    for name in ("rms_norm", "rms_norm_unit_offset"):
        assert_close(plain(name, x, 0.0).square().mean(-1), one)
    centred = x - x.mean(-1, keepdim=True)
    assert_close(plain("rms_norm", centred, 1e-5), plain("layer_norm", x, 1e-5))


@given(seed=seeds)
def test_gains_and_shifts_work_entry_by_entry(seed: int) -> None:
    x, g, b = normal(seed, T, C), normal(seed + 1, C), normal(seed + 2, C)
    assert_close(lib.layer_norm(x, g, b, 1e-5), plain("layer_norm", x, 1e-5) * g + b)
    assert_close(lib.rms_norm(x, g, 1e-5), plain("rms_norm", x, 1e-5) * g)
    assert_close(lib.rms_norm_unit_offset(x, g, 1e-5), lib.rms_norm(x, 1.0 + g, 1e-5))


@given(seed=seeds)
def test_length_one_is_rms_norm_over_the_root_of_the_size(seed: int) -> None:
    x = normal(seed, B, T, C)
    assert_close(lib.unit_length(x, 0.0).norm(dim=-1), torch.ones(B, T, dtype=x.dtype))
    assert_close(lib.unit_length(x, 0.3), plain("rms_norm", x, 0.3 / C) / math.sqrt(C))
    assert_close(lib.unit_length(3e4 * x, 0.0), lib.unit_length(x, 0.0))
    assert_close(lib.unit_length(-x, 0.1), -lib.unit_length(x, 0.1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
def test_length_one_equals_its_loops(scale: float, dtype: torch.dtype) -> None:
    x = scale * normal(0, B, T, C, dtype=dtype)
    expected = along(lambda row: naive.unit_length(row, 1e-6), -1, x).to(dtype)
    assert_close(lib.unit_length(x, 1e-6), expected)


def test_length_one_at_its_ends() -> None:
    x = normal(0, T, C)
    assert torch.autograd.gradcheck(lambda x: lib.unit_length(x, 1e-3), x.clone().requires_grad_())
    half = x.bfloat16()
    exact = lib.unit_length(half.double(), 1e-6)
    assert_close(lib.unit_length(half, 1e-6).double(), exact, rtol=2**-8, atol=0)
    assert not lib.unit_length(torch.zeros(C), 1e-6).any()
    assert lib.unit_length(torch.zeros(C), 0.0).isnan().all()
    x[1, 2] = torch.nan
    is_nan = lib.unit_length(x, 1e-6).isnan()
    assert is_nan[1].all()
    assert is_nan.sum() == C
    far = torch.full((4,), 3e38)  # whose squares float32 does not hold
    assert_close(lib.unit_length(far, 1e-6), torch.full((4,), 0.5))


@pytest.mark.usefixtures("without_annotations")
def test_length_one_refuses() -> None:
    with pytest.raises(ValueError, match=r"x is torch.int64"):
        lib.unit_length(torch.ones(3).long(), 1e-6)
    with pytest.raises(ValueError, match=r"eps is -1.0"):
        lib.unit_length(torch.ones(3), -1.0)
    with pytest.raises(ValueError, match=r"x has the axes \*batch C"):
        lib.unit_length(torch.ones(()), 1e-6)


def test_arguments_are_not_modified() -> None:
    for name in NAMES:
        x, parts = normal(0, T, C), parameters(name)
        before = [tensor.clone() for tensor in (x, *parts)]
        norm(name, x, *parts, eps=1e-5)
        assert all(map(torch.equal, (x, *parts), before))


# Gradients


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name: str) -> None:
    inputs = [tensor.requires_grad_() for tensor in (normal(0, T, C), *parameters(name))]
    function: Callable[..., Tensor] = getattr(lib, name)
    assert torch.autograd.gradcheck(lambda *parts: function(*parts, 1e-5), inputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_of_zeros_stays_zero_and_has_a_gradient(name: str) -> None:
    x = torch.zeros(T, C, requires_grad=True)
    result = plain(name, x, 1e-6)
    assert torch.equal(result, torch.zeros(T, C))
    result.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


# Numerics


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_rounds_at_the_end_alone(name: str, dtype: torch.dtype) -> None:
    """Once; in rms_norm, as in Llama, once before the gain and once after it."""
    x, parts = normal(0, T, 1024, dtype=dtype), parameters(name, 1024, dtype=dtype)
    result = norm(name, x, *parts, eps=1e-6)
    assert result.dtype == dtype
    exact = loops(name, x, *parts, eps=1e-6)
    roundings = 2 if name == "rms_norm" else 1
    # 1 % for float32's own error, and 1e-6 where gain and shift nearly cancel (or below float16).
    allowed = 1.01 * roundings * ROUNDING[dtype] * exact.abs() + 1e-6
    assert ((result.double() - exact).abs() <= allowed).all()


def test_rms_norm_rounds_before_the_gain_and_gemmas_does_not() -> None:
    """The same gain, 1 + g: the results differ where the first rounding shows."""
    x, offset = normal(0, T, C, dtype=torch.bfloat16), torch.full((C,), 0.5, dtype=torch.bfloat16)
    gain = 1.5 * torch.ones_like(offset)
    rounded = plain("rms_norm", x, 1e-6)
    assert torch.equal(lib.rms_norm(x, gain, 1e-6), rounded * gain)
    assert not torch.equal(lib.rms_norm_unit_offset(x, offset, 1e-6), rounded * gain)


@pytest.mark.parametrize("name", NAMES)
def test_float16_does_not_overflow_in_the_squares(name: str) -> None:
    x = 3000 * normal(0, T, C, dtype=torch.float16)  # the squares exceed 65504
    parts = parameters(name, dtype=torch.float16)
    expected = loops(name, x, *parts, eps=1e-6).to(torch.float16)
    assert_close(norm(name, x, *parts, eps=1e-6), expected)


def test_layer_norm_keeps_its_digits_beside_a_large_mean() -> None:
    """The mean of squares minus the square of the mean would have none left."""
    x = normal(0, T, C, dtype=torch.float32) + 1e4
    parts = parameters("layer_norm", dtype=torch.float32)
    exact = loops("layer_norm", x, *parts, eps=1e-5)
    # Measured: 1.2e-3, from the rounding of the mean, whose last binary digit is 1e-3.
    assert (lib.layer_norm(x, *parts, 1e-5) - exact).abs().max() < 2e-3


# Errors


@pytest.mark.usefixtures("without_annotations")
def test_a_gain_or_shift_of_another_size_is_refused() -> None:
    x, right = torch.zeros(T, C), torch.zeros(C)
    pattern = r"number in {} per entry .* 11 entries and {} has {}; shapes \(3, 11\) and \({}\)"
    for wrong, count, shape in ((torch.zeros(7), 7, "7,"), (torch.zeros(1, 11), 11, "1, 11")):
        for name in ("rms_norm", "rms_norm_unit_offset"):
            with pytest.raises(ValueError, match=pattern.format("g", "g", count, shape)):
                getattr(lib, name)(x, wrong, 1e-5)
        with pytest.raises(ValueError, match=pattern.format("g", "g", count, shape)):
            lib.layer_norm(x, wrong, right, 1e-5)
        with pytest.raises(ValueError, match=pattern.format("b", "b", count, shape)):
            lib.layer_norm(x, right, wrong, 1e-5)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("eps", [-1.0, math.nan, math.inf])
def test_an_eps_that_cannot_be_is_refused(eps: float) -> None:
    x, g = normal(0, B, T, C), normal(1, C)
    calls = (
        lambda: lib.layer_norm(x, g, g, eps),
        lambda: lib.rms_norm(x, g, eps),
        lambda: lib.rms_norm_unit_offset(x, g, eps),
    )
    for call in calls:
        with pytest.raises(ValueError, match=rf"at least 0 and finite; eps is {eps}"):
            call()
