"""MXFP4 against transformers' unpacking of gpt-oss, its table, and PyTorch's type of scales."""

import torch
from hypothesis import given
from strategies import normal, seeds
from transformers.integrations.mxfp4 import FP4_VALUES, convert_moe_packed_tensors

from course_lib.number_formats.mxfp4 import mxfp4_dequantize, mxfp4_quantize

EXPERTS, ROWS, BLOCKS = 2, 3, 5


@given(seed=seeds)
def test_it_unpacks_as_transformers_does(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    shape = (EXPERTS, ROWS, BLOCKS)
    blocks = torch.randint(256, (*shape, 16), generator=generator).to(torch.uint8)
    scales = torch.randint(100, 150, shape, generator=generator).to(torch.uint8)
    theirs = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)  # transposed
    assert torch.equal(mxfp4_dequantize(blocks, scales), theirs.mT)


def test_scales_are_pytorchs_e8m0() -> None:
    scales = torch.arange(256, dtype=torch.uint8)
    ones = torch.full((256, 16), 0x22, dtype=torch.uint8)
    powers = scales.view(torch.float8_e8m0fnu).float()
    torch.testing.assert_close(
        mxfp4_dequantize(ones, scales).view(256, 32)[:, 0], powers, rtol=0, atol=0, equal_nan=True
    )


@given(seed=seeds)
def test_it_packs_the_nearest_of_their_table(seed: int) -> None:
    x = normal(seed, ROWS, 32 * BLOCKS).float()
    blocks, scales = mxfp4_quantize(x)
    powers = scales.view(torch.float8_e8m0fnu).double()[..., None]
    quotients = x.double().unflatten(-1, (BLOCKS, 32)) / powers
    table = torch.tensor(FP4_VALUES).double()
    nearest = (quotients[..., None] - table).abs().min(-1).values
    packed = mxfp4_dequantize(blocks, scales).double().unflatten(-1, (BLOCKS, 32)) / powers
    torch.testing.assert_close((packed - quotients).abs(), nearest)
    largest = quotients.abs().amax(-1)
    assert ((largest >= 4) & (largest < 8)).all()
