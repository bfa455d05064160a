"""A feed-forward network over a few positions at a time: they do not see each other anyway."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.shapes import require_axes
from course_lib.sizes import require_positive

__all__ = ["chunked_feed_forward"]


def chunked_feed_forward(
    x: Float[Tensor, "*batch T C"], feed_forward: Callable[[Tensor], Tensor], chunk: int
) -> Float[Tensor, "*batch T C"]:
    r"""Apply a network that treats each position alike, chunk after chunk.

    .. math:: Y = [\, \mathrm{FFN}(X_1) ;\; \mathrm{FFN}(X_2) ;\; \dots \,]

    Args:
        x: one row per position.
        feed_forward: takes (..., positions, C) to the same shape, each row by itself.
        chunk: positions at a time; the last chunk may be shorter.

    Returns:
        What the network gives for all at once.

    Raises:
        ValueError: if chunk is below 1, x has no axis of positions, or the network changes the
            shape.

    Source: Kitaev et al. 2020 (arXiv:2001.04451), sec. 3, "Chunking".
    Cost: chunk · F numbers of the hidden layer at a time instead of T · F. While training, the
    graph keeps them all, unless the layer is computed again going back (``reversible_layers``).
    """
    require_axes("x", x, "*batch T C")
    require_positive(chunk=chunk)
    outputs = []
    for part in torch.split(x, chunk, dim=-2):
        output = feed_forward(part)
        if output.shape != part.shape:
            raise ValueError(
                "the network leaves each position its place and its width; it made "
                f"{tuple(output.shape)} of {tuple(part.shape)}"
            )
        outputs.append(output)
    return torch.cat(outputs, dim=-2)
