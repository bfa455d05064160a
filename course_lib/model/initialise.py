"""Draw the first weights of a model."""

import math
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from course_lib.sizes import require_above_zero

__all__ = ["ResidualWriter", "initialise", "num_parameters"]


@runtime_checkable
class ResidualWriter(Protocol):
    """A module that adds something to the residual stream: one half of a block."""

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrices that make up its one write: one, or one for each expert."""


def initialise(model: nn.Module, generator: torch.Generator, std: float = 0.02) -> None:
    r"""Draw every matrix of a model from a normal distribution, in place.

    .. math:: w \sim \mathcal N(0, \text{std}^2), \qquad
        w_O, w_\text{out}, w_\text{down} \sim \mathcal N\big(0, \text{std}^2 / N\big)

    N counts the writes into the residual stream: 2 L in a decoder or an encoder, one for each half
    of a block, however many matrices make it. What all halves add then has the variance of one. An
    encoder-decoder has 5 L, those of both stacks together. Gains, shifts, biases and sinks keep the
    values that they were made with.

    Args:
        model: any model of this room; its parameters are modified. Which matrices write, its
            modules say themselves: each ``ResidualWriter`` is one write, with all that is in it.
        generator: where the randomness comes from.
        std: the standard deviation.

    Returns:
        Nothing.

    Raises:
        ValueError: if the deviation is not positive and finite.

    Source: Radford et al. 2019 (GPT-2), sec. 2.3, who scale by 1/√N with N residual layers: two a
    block.
    """
    require_above_zero("std", std, "the standard deviation of first weights")
    writes = _writes(model)
    writers = {weight for write in writes for weight in write}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # The biases of E experts are a table, and biases all the same.
            if weight.ndim > 1 and not name.rsplit(".", 1)[-1].startswith("b_"):
                scale = 1 / math.sqrt(len(writes)) if weight in writers else 1.0
                weight.normal_(0.0, std * scale, generator=generator)


def _writes(module: nn.Module) -> list[tuple[nn.Parameter, ...]]:
    """The matrices of each write; a module that declares its own is not looked into."""
    if isinstance(module, ResidualWriter):
        return [module.residual_writers()]
    return [write for child in module.children() for write in _writes(child)]


def num_parameters(model: nn.Module) -> int:
    """Count the numbers that training would change; a tied table counts once.

    Args:
        model: any module; it may live on the meta device, where nothing is stored.

    Returns:
        The number of parameters.

    Source: the count that papers print; ``course_lib.counts.decoder`` computes it from sizes alone.
    """
    return sum(weight.numel() for weight in model.parameters())
