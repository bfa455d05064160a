"""Draw the first weights of a model."""

import math

import torch
from torch import nn

__all__ = ["initialise", "num_parameters"]

#: Matrices that write into the residual stream.
_WRITERS = ("w_o", "w_out", "w_down")


def initialise(model: nn.Module, generator: torch.Generator, std: float = 0.02) -> None:
    r"""Draw every matrix of a model from a normal distribution, in place.

    .. math:: w \sim \mathcal N(0, \text{std}^2), \qquad
        w_O, w_\text{out}, w_\text{down} \sim \mathcal N\big(0, \text{std}^2 / N\big)

    N counts the matrices that write into the residual stream: 2 L in a decoder or an encoder, one
    for each half of a block. What all halves add then has the variance of one. An encoder-decoder
    has 5 L, those of both stacks together. Gains, shifts, biases and sinks keep the values that
    they were made with.

    Args:
        model: any model of this room; its parameters are modified.
        generator: where the randomness comes from.
        std: the standard deviation.

    Returns:
        Nothing.

    Source: Radford et al. 2019 (GPT-2), sec. 2.3, who scale by 1/√N with N residual layers: two a
    block.
    """
    matrices = [(name, weight) for name, weight in model.named_parameters() if weight.ndim > 1]
    writers = [name for name, _ in matrices if name.split(".")[-1] in _WRITERS]
    with torch.no_grad():
        for name, weight in matrices:
            scale = 1 / math.sqrt(len(writers)) if name in writers else 1.0
            weight.normal_(0.0, std * scale, generator=generator)


def num_parameters(model: nn.Module) -> int:
    """Count the numbers that training would change; a tied table counts once.

    Args:
        model: any module; it may live on the meta device, where nothing is stored.

    Returns:
        The number of parameters.

    Source: the count that papers print; ``course_lib.counts.decoder`` computes it from sizes alone.
    """
    return sum(weight.numel() for weight in model.parameters())
