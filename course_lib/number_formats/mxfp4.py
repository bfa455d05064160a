"""MXFP4: thirty-two numbers of four bits share one power of two."""

import torch
from jaxtyping import Float32, Shaped, UInt8
from torch import Tensor

from course_lib.kinds import require_floats, require_same_device
from course_lib.shapes import require_axes

__all__ = ["mxfp4_dequantize", "mxfp4_quantize"]

#: What the three bits behind the sign mean: two of exponent and one of fraction (E2M1).
_MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
#: Half-way between neighbours, and whether the number there goes up: to the even one of the two.
_BOUNDS = (0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0)
_TIES_GO_UP = (False, True, False, True, False, True, False)
_BLOCK = 32
_BIAS = 127
_NAN = 255


def mxfp4_dequantize(
    blocks: UInt8[Tensor, "*rows _ 16"], scales: UInt8[Tensor, "*rows _"]
) -> Float32[Tensor, "*rows _"]:
    r"""Unpack two numbers of each byte, and multiply a block of 32 by its power of two.

    .. math:: x_{32 n + i} = 2^{\text{scale}_n - 127} \, v_{ni}, \qquad
        |v| \in \{0, 0.5, 1, 1.5, 2, 3, 4, 6\}

    The low four bits of a byte come first. The highest bit of the four is the sign.

    Args:
        blocks: 16 bytes for each block of 32 numbers.
        scales: one exponent for each block, with the bias of 127; 255 is NaN.

    Returns:
        The numbers, 32 for each block, in float32. Each is exact, but for those beyond float32:
        with the scale 254 a magnitude of 2 and more is infinite. A block whose scale is 255 is NaN.

    Raises:
        ValueError: if a block has not 16 bytes, or there is not one scale for each.
        TypeError: if one of the two is not of torch.uint8.

    Source: OCP Microscaling Formats (MX) Specification v1.0 (2023); the order of bytes and halves:
    gpt-oss (arXiv:2508.10925), ``torch/weights.py``, which knows no NaN.
    Cost: 4.25 bits a number stored, 32 when unpacked.

    >>> blocks = torch.zeros(1, 16, dtype=torch.uint8)
    >>> blocks[0, 0] = 0x2F  # the low half is 15, -6, and the high half 2, which is 1
    >>> mxfp4_dequantize(blocks, torch.tensor([128], dtype=torch.uint8))[:3]
    tensor([-12.,   2.,   0.])
    """
    _require_bytes(blocks, scales)
    signed = [*_MAGNITUDES, *(-magnitude for magnitude in _MAGNITUDES)]
    table = torch.tensor(signed, dtype=torch.float32, device=blocks.device)
    halves = torch.stack((blocks & 0x0F, blocks >> 4), dim=-1)  # ... N 16 2
    numbers = table[halves.int()].flatten(-2)
    powers = torch.ldexp(torch.ones_like(scales, dtype=torch.float32), scales.int() - _BIAS)
    powers = powers.masked_fill(scales == _NAN, torch.nan)
    return (powers[..., None] * numbers).flatten(-2)


def mxfp4_quantize(
    x: Float32[Tensor, "*rows _"],
) -> tuple[UInt8[Tensor, "*rows _ 16"], UInt8[Tensor, "*rows _"]]:
    r"""Store each block of 32 numbers in 16 bytes and one for their scale.

    .. math:: \text{scale} = 127 + \lfloor \log_2 \max_i |x_i| \rfloor - 2, \qquad
        v_i = \text{nearest of E2M1 to } x_i \, 2^{127 - \text{scale}}

    The largest power of two in E2M1 is 4 = 2², so the largest number of a block lies from 4 to 8
    after the division; what is above 6 becomes 6.

    Args:
        x: finite numbers; 32 divides the length of the last axis.

    Returns:
        Blocks and scales as ``mxfp4_dequantize`` takes them. Half-way between two, the one with an
        even fraction bit is taken. A block of zeros has the scale 0.

    Raises:
        ValueError: if 32 does not divide the last axis, or a number is not finite.

    Source: OCP Microscaling Formats (MX) Specification v1.0 (2023). How the released weights of
    gpt-oss were rounded is not known to us.
    """
    require_floats(x=x)
    require_axes("x", x, "*batch _")
    if x.shape[-1] % _BLOCK:
        raise ValueError(
            f"a block has {_BLOCK} numbers, so {_BLOCK} divides the last axis; it has "
            f"{x.shape[-1]}; shape {tuple(x.shape)}"
        )
    if not x.isfinite().all():
        raise ValueError(
            "MXFP4 has no infinity, and NaN only for a whole block, so x is finite; "
            f"{int((~x.isfinite()).sum())} of {x.numel()} numbers are not"
        )
    by_block = torch.unflatten(x, -1, (-1, _BLOCK)).double()  # a quotient may be no float32
    largest = by_block.abs().amax(-1)
    exponents = torch.frexp(largest).exponent - 3  # the fraction lies from 1/2 to 1
    exponents = exponents.clamp(-_BIAS, _BIAS).masked_fill(largest == 0, -_BIAS)
    divided = torch.ldexp(by_block, -exponents[..., None])
    bounds = torch.tensor(_BOUNDS, dtype=torch.float64, device=x.device)
    up = torch.tensor([*_TIES_GO_UP, False], device=x.device)
    codes = torch.bucketize(divided.abs(), bounds)  # a number on a bound stays below it
    on_bound = divided.abs() == torch.cat((bounds, bounds.new_tensor([-1.0])))[codes]
    codes = codes + (on_bound & up[codes]) + 8 * torch.signbit(divided)
    low, high = torch.unflatten(codes, -1, (-1, 2)).unbind(-1)
    return (low | high << 4).to(torch.uint8), (exponents + _BIAS).to(torch.uint8)


def _require_bytes(blocks: Shaped[Tensor, "..."], scales: Shaped[Tensor, "..."]) -> None:
    require_same_device(blocks=blocks, scales=scales)
    for name, tensor in (("blocks", blocks), ("scales", scales)):
        if tensor.dtype != torch.uint8:
            raise TypeError(
                f"{name} holds bytes, torch.uint8; {name} is {tensor.dtype}; "
                f"shape {tuple(tensor.shape)}"
            )
    if blocks.ndim < 2 or blocks.shape[-1] != _BLOCK // 2 or blocks.shape[:-1] != scales.shape:
        raise ValueError(
            f"each block has {_BLOCK // 2} bytes and one scale; blocks has "
            f"{tuple(blocks.shape)} and scales {tuple(scales.shape)}"
        )
