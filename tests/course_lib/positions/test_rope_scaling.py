"""Stretched rotations: equal to their loops, plain RoPE at factor one, GPT-OSS's numbers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from course_lib.naive.positions import rope_scaling as naive
from course_lib.positions import rope_scaling as lib
from course_lib.positions.rope import rope_inv_freq

YARN = ("yarn_inv_freq", "yarn_inv_freq_truncated")
#: rotary_dim, base, context, factor, alpha, beta
GPT_OSS = (64, 150000.0, 4096, 32.0, 1.0, 32.0)
SETTINGS = [
    GPT_OSS,
    (64, 10000.0, 4096, 40.0, 1.0, 32.0),  # DeepSeek-V3's rotary part
    (128, 1000000.0, 32768, 4.0, 1.0, 32.0),  # Qwen3
    (16, 10000.0, 64, 8.0, 1.0, 32.0),  # the ramp starts before the first pair
    (8, 3.0, 64, 8.0, 0.5, 2.0),  # and ends behind the last one
]
factors = st.floats(min_value=1.0, max_value=64.0)


# Equal to the twin


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_interpolated_and_llama3_equal_their_loops(dtype: torch.dtype) -> None:
    inv_freq = rope_inv_freq(128, 500000.0).to(dtype)
    slow = inv_freq.double().numpy()
    expected = torch.from_numpy(naive.interpolated_inv_freq(slow, 8.0)).to(dtype)
    assert_close(lib.interpolated_inv_freq(inv_freq, 8.0), expected)
    for parts in ((8.0, 1.0, 4.0, 8192), (32.0, 1.0, 4.0, 8192), (4.0, 0.5, 30.0, 100)):
        expected = torch.from_numpy(naive.llama3_inv_freq(slow, *parts)).to(dtype)
        assert_close(lib.llama3_inv_freq(inv_freq, *parts), expected)


@pytest.mark.parametrize(("rotary_dim", "base"), [(128, 10000.0), (6, 500000.0), (4, 100.0)])
def test_ntk_equals_its_loops(rotary_dim: int, base: float) -> None:
    expected = torch.from_numpy(naive.ntk_inv_freq(rotary_dim, base, 8.0))
    assert_close(lib.ntk_inv_freq(rotary_dim, base, 8.0), expected)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", YARN)
def test_yarn_equals_its_loops(name: str, settings: tuple[float, ...]) -> None:
    inv_freq, concentration = getattr(lib, name)(*settings)
    expected, number = getattr(naive, name)(*settings)
    assert_close(inv_freq, torch.from_numpy(expected))
    assert math.isclose(concentration, number)


# GPT-OSS


def ramp_ends(inv_freq: Tensor, settings: tuple[float, ...]) -> tuple[float, float]:
    """Where the ramp starts and ends, from two pairs that lie on it."""
    rotary_dim, base, _, factor, _, _ = settings
    kept = rope_inv_freq(int(rotary_dim), base)
    share = ((kept - inv_freq) / (kept - kept / factor)).tolist()
    (first, low_share), *_, (last, high_share) = [
        (i, s) for i, s in enumerate(share) if 1e-9 < s < 1 - 1e-9
    ]
    slope = (high_share - low_share) / (last - first)
    return first - low_share / slope, last + (1 - high_share) / slope


def test_the_ramp_of_gpt_oss() -> None:
    inv_freq, concentration = lib.yarn_inv_freq(*GPT_OSS)
    low, high = ramp_ends(inv_freq, GPT_OSS)
    assert round(low, 4) == 8.0928
    assert round(high, 4) == 17.3980
    assert round(concentration, 5) == 1.34657
    plain = rope_inv_freq(64, 150000.0)
    assert torch.equal(inv_freq[:9], plain[:9])
    assert torch.equal(inv_freq[18:], plain[18:] / 32)


def test_the_truncated_ramp_is_rounded_outward() -> None:
    inv_freq, concentration = lib.yarn_inv_freq_truncated(*GPT_OSS)
    low, high = ramp_ends(inv_freq, GPT_OSS)
    assert_close((low, high), (8.0, 18.0))
    assert concentration == lib.yarn_inv_freq(*GPT_OSS)[1]


def test_the_ends_of_the_ramp_are_where_pairs_turn_alpha_and_beta_times() -> None:
    """With 2π·32·√150000 tokens and β = 32, pair D/4 = 16 turns β times: its frequency is b^-½."""
    context = round(2 * math.pi * 32 * math.sqrt(150000.0))
    settings = (64, 150000.0, context, 32.0, 1.0, 32.0)
    low, high = ramp_ends(lib.yarn_inv_freq(*settings)[0], settings)
    assert abs(low - 16.0) < 1e-3
    assert abs(high - low - 32 * math.log(32.0) / math.log(150000.0)) < 1e-9


# Laws


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", YARN)
def test_factor_one_is_rope(name: str, settings: tuple[float, ...]) -> None:
    rotary_dim, base, context, _, alpha, beta = settings
    plain = rope_inv_freq(int(rotary_dim), base)
    inv_freq, concentration = getattr(lib, name)(rotary_dim, base, context, 1.0, alpha, beta)
    assert_close(inv_freq, plain)
    assert concentration == 1.0
    assert_close(lib.ntk_inv_freq(int(rotary_dim), base, 1.0), plain)
    assert torch.equal(lib.interpolated_inv_freq(plain, 1.0), plain)
    assert_close(lib.llama3_inv_freq(plain, 1.0, 1.0, 4.0, 8192), plain)


@given(factor=factors)
def test_every_scaling_lies_between_rope_and_interpolation(factor: float) -> None:
    plain = rope_inv_freq(64, 10000.0)
    slowest = lib.interpolated_inv_freq(plain, factor)
    assert_close(slowest * factor, plain)
    for inv_freq in (
        lib.ntk_inv_freq(64, 10000.0, factor),
        lib.llama3_inv_freq(plain, factor, 1.0, 4.0, 2048),
        lib.yarn_inv_freq(64, 10000.0, 2048, factor, 1.0, 32.0)[0],
        lib.yarn_inv_freq_truncated(64, 10000.0, 2048, factor, 1.0, 32.0)[0],
    ):
        assert (inv_freq <= plain * (1 + 1e-12)).all()
        assert (inv_freq >= slowest * (1 - 1e-12)).all()
        assert_close(inv_freq[0], plain[0])  # the fastest is kept
        assert_close(inv_freq[-1], slowest[-1])  # the slowest is slowed down fully
        assert (inv_freq.diff() < 0).all()


def test_llama3_by_hand() -> None:
    """8192 tokens, 1 to 4 turns: wavelengths above 8192 and below 2048 are the bounds."""
    wavelengths = torch.tensor([2000.0, 2048.0, 4096.0, 8192.0, 9000.0], dtype=torch.float64)
    inv_freq = lib.llama3_inv_freq(2 * math.pi / wavelengths, 8.0, 1.0, 4.0, 8192)
    # Two turns are a third of the way: θ/3 + (2/3) θ/8 = 5θ/12.
    expected = torch.tensor([2000.0, 2048.0, 4096.0 * 12 / 5, 65536.0, 72000.0]).double()
    assert_close(2 * math.pi / inv_freq, expected, rtol=1e-7, atol=0.0)


@given(factor=factors)
def test_the_concentration_is_a_tenth_of_the_natural_logarithm_and_one(factor: float) -> None:
    _, concentration = lib.yarn_inv_freq(64, 10000.0, 4096, factor, 1.0, 32.0)
    assert math.isclose(math.exp(10 * (concentration - 1)), factor)


# Errors


def test_a_factor_below_one_is_refused() -> None:
    plain = rope_inv_freq(8, 100.0)
    for call in (
        lambda: lib.interpolated_inv_freq(plain, 0.5),
        lambda: lib.ntk_inv_freq(8, 100.0, 0.5),
        lambda: lib.llama3_inv_freq(plain, 0.5, 1.0, 4.0, 8192),
        lambda: lib.yarn_inv_freq(8, 100.0, 4096, 0.5, 1.0, 32.0),
        lambda: lib.yarn_inv_freq_truncated(8, 100.0, 4096, 0.5, 1.0, 32.0),
    ):
        with pytest.raises(ValueError, match=r"1 <= factor < infinity; factor is 0\.5"):
            call()


@pytest.mark.parametrize("name", YARN)
def test_turns_in_the_wrong_order_are_refused(name: str) -> None:
    yarn = getattr(lib, name)
    with pytest.raises(ValueError, match=r"alpha is 32\.0, beta is 1\.0, context is 4096"):
        yarn(64, 10000.0, 4096, 4.0, 32.0, 1.0)
    with pytest.raises(ValueError, match=r"alpha is 0\.0, beta is 1\.0, context is 4096"):
        yarn(64, 10000.0, 4096, 4.0, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"alpha is 1\.0, beta is 32\.0, context is 0"):
        yarn(64, 10000.0, 0, 4.0, 1.0, 32.0)
    with pytest.raises(ValueError, match=r"only if 1 < base < infinity; base is 1\.0"):
        yarn(64, 1.0, 4096, 4.0, 1.0, 32.0)
    with pytest.raises(
        ValueError, match=r"starts at pair 0 and ends at pair .*, for rotary_dim = 64"
    ):
        yarn(64, 10000.0, 3, 4.0, 1.0, 32.0)


def test_bounds_and_sizes_are_refused() -> None:
    plain = rope_inv_freq(8, 100.0)
    pattern = r"low_freq_factor is 4\.0, high_freq_factor is 1\.0, context is 8192"
    with pytest.raises(ValueError, match=pattern):
        lib.llama3_inv_freq(plain, 8.0, 4.0, 1.0, 8192)
    with pytest.raises(ValueError, match=r"rotary_dim is above 2; rotary_dim is 2"):
        lib.ntk_inv_freq(2, 100.0, 4.0)
    with pytest.raises(ValueError, match=r"rotary_dim is 7 and base is"):
        lib.ntk_inv_freq(7, 100.0, 4.0)
    for name in YARN:
        with pytest.raises(ValueError, match=r"rotary_dim is 7 and base is 100\.0"):
            getattr(lib, name)(7, 100.0, 4096, 4.0, 1.0, 32.0)
