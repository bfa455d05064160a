"""From a RoPE configuration to the frequencies that rotate the pairs."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.config.rope import LinearScaling, Llama3Scaling, NtkScaling, RopeConfig, YarnScaling
from course_lib.positions.rope import rope_inv_freq
from course_lib.positions.rope_scaling import (
    interpolated_inv_freq,
    llama3_inv_freq,
    ntk_inv_freq,
    yarn_inv_freq,
    yarn_inv_freq_truncated,
)

__all__ = ["Rotation", "rope_frequencies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """How fast queries and keys turn: equal where the configuration is.

    Attributes:
        config: base, rotated entries, and how the context is stretched.
        inv_freq: radians per position, one per pair. Constants, not weights: computed on the
            processor, also where a model is made without numbers (``torch.device("meta")``).
        concentration: the factor on rotated queries and keys.
    """

    config: RopeConfig
    inv_freq: Float[Tensor, " _"] = field(compare=False)
    concentration: float = field(compare=False)

    @classmethod
    def of(cls, config: RopeConfig) -> "Rotation":
        """Compute the frequencies of a configuration."""
        with torch.device("cpu"):
            inv_freq, concentration = rope_frequencies(config)
        return cls(config=config, inv_freq=inv_freq, concentration=concentration)


def rope_frequencies(config: RopeConfig) -> tuple[Float[Tensor, " _"], float]:
    """Compute a model's rotation frequencies once, for all its tokens.

    Args:
        config: base, rotated entries, and how the context is stretched.

    Returns:
        The frequency of each pair, in radians per position, and the concentration, the factor on
        rotated queries and keys (1 but for YaRN).
    """
    plain = rope_inv_freq(config.rotary_dim, config.base)
    match config.scaling:
        case None:
            return plain, 1.0
        case LinearScaling(factor=factor):
            return interpolated_inv_freq(plain, factor), 1.0
        case NtkScaling(factor=factor):
            return ntk_inv_freq(config.rotary_dim, config.base, factor), 1.0
        case Llama3Scaling() as scaling:
            stretched = llama3_inv_freq(
                plain,
                scaling.factor,
                scaling.low_freq_factor,
                scaling.high_freq_factor,
                scaling.context,
            )
            return stretched, 1.0
        case YarnScaling() as scaling:
            yarn = yarn_inv_freq_truncated if scaling.is_truncated else yarn_inv_freq
            return yarn(
                config.rotary_dim,
                config.base,
                scaling.context,
                scaling.factor,
                scaling.alpha,
                scaling.beta,
            )
