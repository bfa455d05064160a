"""The feed-forward networks as modules: they hold the matrices and call the functions."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.config.experts import (
    AffinityMixtureConfig,
    ClampedMixtureConfig,
    GatedMixtureConfig,
    GatedSharedMixtureConfig,
    InputWeightedMixtureConfig,
    ShareMixtureConfig,
)
from course_lib.config.feed_forward import (
    FeedForwardConfig,
    GatedFeedForwardConfig,
    PlainFeedForwardConfig,
)
from course_lib.layers.feed_forward import feed_forward, gated_feed_forward
from course_lib.model.mixture_modules import (
    AffinityMixture,
    ClampedMixture,
    GatedMixture,
    GatedSharedMixture,
    InputWeightedMixture,
    ShareMixture,
)
from course_lib.sizes import require_positive

__all__ = ["GatedFeedForward", "PlainFeedForward", "feed_forward_module"]


class PlainFeedForward(nn.Module):
    """Up, activation, down."""

    b_in: nn.Parameter | None
    b_out: nn.Parameter | None

    def __init__(self, config: PlainFeedForwardConfig, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.activation = config.activation
        self.w_in = nn.Parameter(torch.zeros(d_model, config.d_ff))
        self.w_out = nn.Parameter(torch.zeros(config.d_ff, d_model))
        for name, size in (("b_in", config.d_ff), ("b_out", d_model)):
            bias = nn.Parameter(torch.zeros(size)) if config.has_bias else None
            self.register_parameter(name, bias)

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """Apply the network to each vector."""
        return feed_forward(x, self.w_in, self.b_in, self.w_out, self.b_out, self.activation)

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrix of the one write to the residual stream."""
        return (self.w_out,)


class GatedFeedForward(nn.Module):
    """Gate and up, their product, down."""

    def __init__(self, config: GatedFeedForwardConfig, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.activation = config.activation
        self.w_gate = nn.Parameter(torch.zeros(d_model, config.d_ff))
        self.w_up = nn.Parameter(torch.zeros(d_model, config.d_ff))
        self.w_down = nn.Parameter(torch.zeros(config.d_ff, d_model))

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """Apply the network to each vector."""
        return gated_feed_forward(x, self.w_gate, self.w_up, self.w_down, self.activation)

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrix of the one write to the residual stream."""
        return (self.w_down,)


def feed_forward_module(config: FeedForwardConfig, d_model: int) -> nn.Module:
    """Make the feed-forward network that a configuration names.

    Args:
        config: which network, its width and its activation.
        d_model: C, entries of the vectors that it reads and writes.

    Returns:
        The module; its matrices are zeros until they are initialised or loaded.
    """
    match config:
        case PlainFeedForwardConfig():
            return PlainFeedForward(config, d_model)
        case GatedFeedForwardConfig():
            return GatedFeedForward(config, d_model)
        case GatedMixtureConfig():
            return GatedMixture(config, d_model)
        case GatedSharedMixtureConfig():
            return GatedSharedMixture(config, d_model)
        case ClampedMixtureConfig():
            return ClampedMixture(config, d_model)
        case AffinityMixtureConfig():
            return AffinityMixture(config, d_model)
        case ShareMixtureConfig():
            return ShareMixture(config, d_model)
        case InputWeightedMixtureConfig():
            return InputWeightedMixture(config, d_model)
