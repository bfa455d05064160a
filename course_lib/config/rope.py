"""Rotary positions: base, rotated entries, and how the context is stretched."""

from dataclasses import dataclass

from course_lib.sizes import (
    is_above_zero,
    require_above_zero,
    require_factor,
    require_number,
    require_positive,
    require_whole,
)

__all__ = [
    "LinearScaling",
    "Llama3Scaling",
    "NoRope",
    "NtkScaling",
    "RopeConfig",
    "RopeScaling",
    "YarnScaling",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearScaling:
    """Position interpolation: all frequencies divided by the factor.

    Attributes:
        factor: by how much the context is stretched, at least 1.
    """

    factor: float

    def __post_init__(self) -> None:
        require_factor(self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class NtkScaling:
    """NTK-aware scaling: a larger base.

    Attributes:
        factor: by how much the context is stretched, at least 1.
    """

    factor: float

    def __post_init__(self) -> None:
        require_factor(self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Llama3Scaling:
    """Llama 3.1's scaling: slow pairs are divided, fast ones kept, with a ramp between.

    Attributes:
        factor: by how much the context is stretched, at least 1.
        low_freq_factor: turns within the context up to which a pair is divided by the factor;
            above 0.
        high_freq_factor: turns from which on a pair is left alone; above low_freq_factor.
        context: tokens, the context of pre-training.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    context: int

    def __post_init__(self) -> None:
        require_factor(self.factor)
        require_positive(context=self.context)
        _require_ramp(low_freq_factor=self.low_freq_factor, high_freq_factor=self.high_freq_factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class YarnScaling:
    """YaRN: a ramp over the pairs, and a concentration on queries and keys.

    Attributes:
        factor: by how much the context is stretched, at least 1.
        context: tokens, the context of pre-training.
        alpha: turns within the context up to which a pair is divided by the factor; above 0.
        beta: turns from which on a pair is left alone; above alpha.
        is_truncated: True where the ramp's ends are rounded outward to whole pairs. Released
            configurations say so themselves ("truncate", false in GPT-OSS), so it is data here.
            No function has it as a flag: it picks ``yarn_inv_freq_truncated`` or
            ``yarn_inv_freq``.
    """

    factor: float
    context: int
    alpha: float
    beta: float
    is_truncated: bool

    def __post_init__(self) -> None:
        require_factor(self.factor)
        require_positive(context=self.context)
        _require_ramp(alpha=self.alpha, beta=self.beta)


RopeScaling = LinearScaling | NtkScaling | Llama3Scaling | YarnScaling


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRope:
    """Nothing is rotated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RopeConfig:
    """Rotary positions.

    Attributes:
        base: theta, the wavelengths' common base; above 0, with YaRN above 1.
        rotary_dim: entries of a head that are rotated, even; D unless the rotation is partial.
            With NTK scaling above 2.
        scaling: how the context is stretched; None means not at all.
    """

    base: float
    rotary_dim: int
    scaling: RopeScaling | None = None

    def __post_init__(self) -> None:
        require_whole(rotary_dim=self.rotary_dim)
        if self.rotary_dim < 2 or self.rotary_dim % 2:
            raise ValueError(
                "RoPE rotates pairs, so rotary_dim is even and at least 2; "
                f"rotary_dim is {self.rotary_dim}, with base = {self.base}"
            )
        require_above_zero("base", self.base, "RoPE's frequencies are powers of a base, which")
        if isinstance(self.scaling, NtkScaling) and self.rotary_dim == 2:
            raise ValueError(
                "NTK scaling tells the first pair from the last, so rotary_dim is above 2; "
                f"rotary_dim is {self.rotary_dim}, with base = {self.base}"
            )
        if isinstance(self.scaling, YarnScaling) and self.base <= 1:
            raise ValueError(
                "YaRN's ramp needs pairs that turn ever more slowly, so base > 1; "
                f"base is {self.base}, with rotary_dim = {self.rotary_dim}"
            )


def _require_ramp(**ends: float) -> None:
    require_number(**ends)
    (low_name, low), (high_name, high) = ends.items()
    if not (low < high and is_above_zero(low) and is_above_zero(high)):
        raise ValueError(
            f"a ramp leads from fewer turns to more, so 0 < {low_name} < {high_name}, "
            "both finite, in float32 too; "
            f"{low_name} is {low} and {high_name} {high}"
        )
