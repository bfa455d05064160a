"""Slower rotations for longer texts, pair by pair."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = [
    "interpolated_inv_freq",
    "llama3_inv_freq",
    "ntk_inv_freq",
    "yarn_inv_freq",
    "yarn_inv_freq_truncated",
]

Frequencies = Float64[np.ndarray, " pairs"]


def interpolated_inv_freq(inv_freq: Frequencies, factor: float) -> Frequencies:
    """Every pair takes ``factor`` times as many positions for a turn."""
    return np.array([frequency / factor for frequency in inv_freq])


def ntk_inv_freq(rotary_dim: int, base: float, factor: float) -> Frequencies:
    """Pair i is slowed down by factor^(i / (n - 1)): the first not at all, the last fully."""
    half = rotary_dim // 2
    return np.array(
        [base ** (-i / half) / factor ** (i / (half - 1)) for i in range(half)], dtype=np.float64
    )


def llama3_inv_freq(
    inv_freq: Frequencies,
    factor: float,
    low_freq_factor: float,
    high_freq_factor: float,
    context: int,
) -> Frequencies:
    """By wavelength: short ones stay, long ones are slowed down, those between are mixed."""
    result = []
    for frequency in inv_freq:
        wavelength = 2 * math.pi / frequency
        if wavelength < context / high_freq_factor:
            result.append(frequency)
        elif wavelength > context / low_freq_factor:
            result.append(frequency / factor)
        else:
            share = (context / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor)
            result.append((1 - share) * frequency / factor + share * frequency)
    return np.array(result)


def yarn_inv_freq(
    rotary_dim: int, base: float, context: int, factor: float, alpha: float, beta: float
) -> tuple[Frequencies, float]:
    """Pairs before the ramp stay, pairs behind it are slowed down, those on it are mixed."""
    start = _pair_that_turns(beta, rotary_dim, base, context)
    end = _pair_that_turns(alpha, rotary_dim, base, context)
    return _on_ramp(rotary_dim, base, factor, start, end)


def yarn_inv_freq_truncated(
    rotary_dim: int, base: float, context: int, factor: float, alpha: float, beta: float
) -> tuple[Frequencies, float]:
    """The same, with a ramp from a whole pair to a whole pair."""
    start = math.floor(_pair_that_turns(beta, rotary_dim, base, context))
    end = math.ceil(_pair_that_turns(alpha, rotary_dim, base, context))
    return _on_ramp(rotary_dim, base, factor, start, end)


def _pair_that_turns(turns: float, rotary_dim: int, base: float, context: int) -> float:
    """Solve context * base^(-2i/D) = 2 pi turns for i."""
    return rotary_dim * math.log(context / (turns * 2 * math.pi), base) / 2


def _on_ramp(
    rotary_dim: int, base: float, factor: float, start: float, end: float
) -> tuple[Frequencies, float]:
    start = start if start > 0 else 0
    end = end if end < rotary_dim - 1 else rotary_dim - 1
    result = []
    for i in range(rotary_dim // 2):
        frequency = 1.0 / base ** (2 * i / rotary_dim)
        if i <= start:
            result.append(frequency)
        elif i >= end:
            result.append(frequency / factor)
        else:
            share = (i - start) / (end - start)
            result.append((1 - share) * frequency + share * frequency / factor)
    return np.array(result), 1.0 + 0.1 * math.log(factor)
