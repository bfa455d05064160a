"""A number of four bits: sign, two of exponent, one of fraction."""

import math

import numpy as np
from jaxtyping import Float64, UInt8

__all__ = ["mxfp4_dequantize", "mxfp4_quantize"]


def mxfp4_dequantize(
    blocks: UInt8[np.ndarray, "_ 16"], scales: UInt8[np.ndarray, " _"]
) -> Float64[np.ndarray, " _"]:
    """Byte by byte, the low half first."""
    numbers = []
    for block, scale in zip(blocks, scales, strict=True):
        power = math.nan if scale == 255 else 2.0 ** (int(scale) - 127)
        for byte in block:
            numbers.append(power * _e2m1(int(byte) % 16))
            numbers.append(power * _e2m1(int(byte) // 16))
    return np.array(numbers)


def mxfp4_quantize(
    x: Float64[np.ndarray, " _"],
) -> tuple[UInt8[np.ndarray, "_ 16"], UInt8[np.ndarray, " _"]]:
    """Try all sixteen codes for each number, and keep the nearest; of two, the even one."""
    count = len(x) // 32
    blocks, scales = np.zeros((count, 16), np.uint8), np.zeros(count, np.uint8)
    for n in range(count):
        block = x[32 * n : 32 * n + 32]
        largest = max(abs(float(number)) for number in block)
        exponent = -127
        while exponent < 127 and largest >= 2.0 ** (exponent + 3):
            exponent += 1
        scales[n] = exponent + 127
        for i, number in enumerate(block):
            sign = 8 if math.copysign(1.0, number) < 0 else 0
            quotient = abs(float(number)) * 2.0**-exponent
            best = min(range(8), key=lambda code: (abs(_e2m1(code) - quotient), code % 2))
            blocks[n, i // 2] += (best + sign) * (16 if i % 2 else 1)
    return blocks, scales


def _e2m1(code: int) -> float:
    sign = -1.0 if code >= 8 else 1.0
    exponent, fraction = code // 2 % 4, code % 2
    if exponent == 0:  # no hidden one: 0 or 1/2
        return sign * fraction / 2
    return sign * 2.0 ** (exponent - 1) * (1 + fraction / 2)
