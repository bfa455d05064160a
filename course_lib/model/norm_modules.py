"""The norms as modules: they hold the gain (and the shift) and call the functions."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.config.norms import (
    LayerNormConfig,
    LayerNormWithoutShiftConfig,
    NormConfig,
    RMSNormConfig,
    RMSNormWithoutGainConfig,
    UnitOffsetRMSNormConfig,
)
from course_lib.layers.norms import layer_norm, rms_norm, rms_norm_unit_offset
from course_lib.sizes import require_eps, require_positive

__all__ = [
    "LayerNorm",
    "LayerNormWithoutShift",
    "RMSNorm",
    "RMSNormWithoutGain",
    "UnitOffsetRMSNorm",
    "norm_module",
]


class LayerNorm(nn.Module):
    """Layer norm with a gain that starts at 1 and a shift that starts at 0."""

    def __init__(self, size: int, eps: float) -> None:
        require_positive(size=size)
        require_eps(eps)
        super().__init__()
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(size))
        self.shift = nn.Parameter(torch.zeros(size))

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """Normalise each vector."""
        return layer_norm(x, self.gain, self.shift, self.eps)


class LayerNormWithoutShift(nn.Module):
    """Layer norm with a gain that starts at 1, and no shift."""

    def __init__(self, size: int, eps: float) -> None:
        require_positive(size=size)
        require_eps(eps)
        super().__init__()
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(size))

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """Normalise each vector."""
        return layer_norm(x, self.gain, torch.zeros_like(self.gain), self.eps)


class RMSNorm(nn.Module):
    """RMS norm with a gain that starts at 1."""

    def __init__(self, size: int, eps: float) -> None:
        require_positive(size=size)
        require_eps(eps)
        super().__init__()
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(size))

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """Normalise each vector."""
        return rms_norm(x, self.gain, self.eps)


class RMSNormWithoutGain(nn.Module):
    """RMS norm alone: it has no parameters."""

    def __init__(self, size: int, eps: float) -> None:
        require_positive(size=size)
        require_eps(eps)
        super().__init__()
        self.size = size
        self.eps = eps

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """Normalise each vector."""
        return rms_norm(x, x.new_ones(self.size), self.eps)


class UnitOffsetRMSNorm(nn.Module):
    """RMS norm times one plus a gain that starts at 0."""

    def __init__(self, size: int, eps: float) -> None:
        require_positive(size=size)
        require_eps(eps)
        super().__init__()
        self.eps = eps
        self.gain = nn.Parameter(torch.zeros(size))

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """Normalise each vector."""
        return rms_norm_unit_offset(x, self.gain, self.eps)


def norm_module(config: NormConfig, size: int) -> nn.Module:
    """Make the norm that a configuration names.

    Args:
        config: which norm, and its eps.
        size: entries of the vectors that it normalises, d_model or head_dim.

    Returns:
        The module, with a gain of its own where the norm has one.
    """
    match config:
        case LayerNormConfig(eps=eps):
            return LayerNorm(size, eps)
        case LayerNormWithoutShiftConfig(eps=eps):
            return LayerNormWithoutShift(size, eps)
        case RMSNormConfig(eps=eps):
            return RMSNorm(size, eps)
        case RMSNormWithoutGainConfig(eps=eps):
            return RMSNormWithoutGain(size, eps)
        case UnitOffsetRMSNormConfig(eps=eps):
            return UnitOffsetRMSNorm(size, eps)
