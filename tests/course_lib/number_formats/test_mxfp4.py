"""MXFP4: each code and scale equals its bits; what is stored comes back; clear refusals."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.naive.number_formats import mxfp4 as naive
from course_lib.number_formats import mxfp4 as lib

N = 3


def every_byte() -> Tensor:
    """All 256 bytes, in 16 blocks."""
    return torch.arange(256, dtype=torch.uint8).view(16, 16)


@pytest.mark.parametrize("scale", [0, 1, 64, 126, 127, 128, 200, 252])
def test_every_byte_equals_its_bits(scale: int) -> None:
    scales = torch.full((16,), scale, dtype=torch.uint8)
    numbers = lib.mxfp4_dequantize(every_byte(), scales)
    expected = naive.mxfp4_dequantize(every_byte().numpy(), scales.numpy())
    assert numbers.dtype == torch.float32
    assert torch.equal(numbers.double(), torch.from_numpy(expected))  # exact, subnormals too


def test_every_scale_is_its_power_of_two() -> None:
    scales = torch.arange(255, dtype=torch.uint8)
    ones = torch.full((255, 16), 0x22, dtype=torch.uint8)
    numbers = lib.mxfp4_dequantize(ones, scales).view(255, 32)
    for scale, row in enumerate(numbers.tolist()):
        assert set(row) == {2.0 ** (scale - 127)}


def test_beyond_float32_and_no_number() -> None:
    blocks = torch.full((2, 16), 0x42, dtype=torch.uint8)  # 1 and 2
    numbers = lib.mxfp4_dequantize(blocks, torch.tensor([254, 255], dtype=torch.uint8))
    assert numbers[:2].tolist() == [2.0**127, math.inf]
    assert numbers[32:].isnan().all()


@given(seed=seeds, power=st.integers(-140, 120))
def test_quantize_equals_its_loops(seed: int, power: int) -> None:
    x = (normal(seed, 2 * 32) * 2.0**power).float()
    sixteenths = torch.tensor([0, 1, -3, 5, 7, 10, 14, 16, -0.0]) / 16
    x[:9] = x.abs().max() * sixteenths
    blocks, scales = lib.mxfp4_quantize(x)
    expected = naive.mxfp4_quantize(x.double().numpy())
    assert torch.equal(blocks, torch.from_numpy(expected[0]))
    assert torch.equal(scales, torch.from_numpy(expected[1]))


def test_ties_go_to_the_even_code() -> None:
    x = torch.zeros(32)
    x[:9] = torch.tensor([4.0, 0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, -5.0])
    blocks, scales = lib.mxfp4_quantize(x)
    assert scales.tolist() == [127]
    back = lib.mxfp4_dequantize(blocks, scales)[:9]
    assert back.tolist() == [4.0, 0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0, -4.0]


@given(seed=seeds)
def test_what_was_stored_comes_back_and_is_stored_alike(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.randint(256, (B, N, 16), generator=generator).to(torch.uint8)
    blocks[..., 0] = 0x74  # a 4 and a 6: the scale is the largest that fits
    scales = torch.randint(4, 250, (B, N), generator=generator).to(torch.uint8)
    again = lib.mxfp4_quantize(lib.mxfp4_dequantize(blocks, scales))
    assert torch.equal(again[0], blocks)  # minus zero too
    assert torch.equal(again[1], scales)


@given(seed=seeds, power=st.integers(-100, 100))
def test_the_error_is_at_most_a_quarter_of_the_largest(seed: int, power: int) -> None:
    x = (normal(seed, B, 32 * N) * 2.0**power).float()
    back = lib.mxfp4_dequantize(*lib.mxfp4_quantize(x))
    error = (back - x).unflatten(-1, (N, 32)).abs().amax(-1)
    # Above 6 of the 8 that the largest may be, a number is cut off: up to 2 of 8.
    assert (error <= x.unflatten(-1, (N, 32)).abs().amax(-1) / 4).all()


@given(seed=seeds, shift=st.integers(-20, 20))
def test_a_power_of_two_moves_the_scale_alone(seed: int, shift: int) -> None:
    x = normal(seed, 32).float()
    blocks, scales = lib.mxfp4_quantize(x)
    moved, higher = lib.mxfp4_quantize(x * 2.0**shift)
    assert torch.equal(moved, blocks)
    assert torch.equal(higher.int(), scales.int() + shift)


def test_a_block_of_zeros_and_the_smallest_numbers() -> None:
    x = torch.zeros(2, 32)
    x[1] = 2.0**-149
    blocks, scales = lib.mxfp4_quantize(x)
    assert scales.tolist() == [[0], [0]]
    assert not lib.mxfp4_dequantize(blocks, scales).any()
    assert_close(lib.mxfp4_dequantize(*lib.mxfp4_quantize(torch.ones(32))), torch.ones(32))


def test_no_input_is_modified() -> None:
    x = normal(0, 64).float()
    before = x.clone()
    blocks, scales = lib.mxfp4_quantize(x)
    kept = blocks.clone(), scales.clone()
    lib.mxfp4_dequantize(blocks, scales)
    assert torch.equal(x, before)
    assert torch.equal(blocks, kept[0])
    assert torch.equal(scales, kept[1])


@pytest.mark.usefixtures("without_annotations")
def test_refusals() -> None:
    blocks, scales = torch.zeros(2, 16, dtype=torch.uint8), torch.zeros(2, dtype=torch.uint8)
    with pytest.raises(ValueError, match=re.escape("blocks has (2, 15) and scales (2,)")):
        lib.mxfp4_dequantize(blocks[:, 1:], scales)
    with pytest.raises(ValueError, match=re.escape("blocks has (2, 16) and scales (1,)")):
        lib.mxfp4_dequantize(blocks, scales[1:])
    with pytest.raises(TypeError, match=re.escape("blocks is torch.int32; shape (2, 16)")):
        lib.mxfp4_dequantize(blocks.int(), scales)
    with pytest.raises(TypeError, match=r"scales is torch\.float32"):
        lib.mxfp4_dequantize(blocks, scales.float())
    with pytest.raises(ValueError, match=re.escape("it has 33; shape (2, 33)")):
        lib.mxfp4_quantize(torch.zeros(2, 33))
    with pytest.raises(ValueError, match="2 of 32 numbers are not"):
        lib.mxfp4_quantize(torch.tensor([math.inf, math.nan, *[0.0] * 30]))
    with pytest.raises(ValueError, match=r"x is torch\.int64"):
        lib.mxfp4_quantize(torch.zeros(32).long())
