"""How many parameters a feed-forward network has."""

from course_lib.config.feed_forward import (
    FeedForwardConfig,
    GatedFeedForwardConfig,
    PlainFeedForwardConfig,
)
from course_lib.sizes import require_positive

__all__ = ["feed_forward_parameters"]


def feed_forward_parameters(config: FeedForwardConfig, d_model: int) -> int:
    r"""Count the parameters of one layer's feed-forward network.

    .. math:: 2 C F \;(+\, F + C \text{ biases}) \quad\text{or, gated,}\quad 3 C F

    Args:
        config: the network.
        d_model: C, width of the residual stream.

    Returns:
        The number of parameters.

    Raises:
        ValueError: if d_model is below 1, or no whole number.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 2; Shazeer 2020 (arXiv:2002.05202), eq. 6.
    """
    require_positive(d_model=d_model)
    match config:
        case PlainFeedForwardConfig(d_ff=d_ff, has_bias=has_bias):
            return 2 * d_model * d_ff + (d_ff + d_model if has_bias else 0)
        case GatedFeedForwardConfig(d_ff=d_ff):
            return 3 * d_model * d_ff
