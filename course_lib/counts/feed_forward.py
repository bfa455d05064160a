"""How many parameters a feed-forward network has."""

from course_lib.config.experts import (
    ClampedMixtureConfig,
    GatedMixtureConfig,
    GatedSharedMixtureConfig,
    GroupedMixtureSizes,
    InputWeightedMixtureConfig,
    MixtureConfig,
    MixtureSizes,
)
from course_lib.config.feed_forward import (
    FeedForwardConfig,
    GatedFeedForwardConfig,
    PlainFeedForwardConfig,
)
from course_lib.sizes import require_positive

__all__ = ["active_feed_forward_parameters", "feed_forward_parameters"]


def feed_forward_parameters(config: FeedForwardConfig, d_model: int) -> int:
    r"""Count the parameters of one layer's feed-forward network.

    .. math:: 2 C F \;(+\, F + C \text{ biases}) \quad\text{or, gated,}\quad 3 C F

    and of a mixture, with the router's E columns,

    .. math:: 3 E C F + C E \quad\text{or, clamped,}\quad E (3 C F + 2 F + C) + C E + E

    Shared experts count beside the E, and their gate, where they have one, as C; a bias that only
    balances loads is no parameter.

    Args:
        config: the network.
        d_model: C, width of the residual stream.

    Returns:
        The number of parameters.

    Raises:
        ValueError: if d_model is below 1, or no whole number.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 2; Shazeer 2020 (arXiv:2002.05202), eq. 6;
    Shazeer et al. 2017 (arXiv:1701.06538), sec. 2; gpt-oss's ``torch/model.py``.
    """
    require_positive(d_model=d_model)
    match config:
        case MixtureSizes():
            return _mixture_parameters(config, d_model, config.num_experts)
        case PlainFeedForwardConfig(d_ff=d_ff, has_bias=has_bias):
            return 2 * d_model * d_ff + (d_ff + d_model if has_bias else 0)
        case GatedFeedForwardConfig(d_ff=d_ff):
            return 3 * d_model * d_ff


def active_feed_forward_parameters(config: FeedForwardConfig, d_model: int) -> int:
    r"""Count the parameters that one token meets: of a mixture, A experts, shared ones, router.

    Args:
        config: the network.
        d_model: C, width of the residual stream.

    Returns:
        The number of parameters; without a mixture, all of them.

    Raises:
        ValueError: if d_model is below 1, or no whole number.

    Source: Shazeer et al. 2017 (arXiv:1701.06538), sec. 1.2.
    """
    match config:
        case MixtureSizes():
            require_positive(d_model=d_model)
            return _mixture_parameters(config, d_model, config.experts_per_token)
        case _:
            return feed_forward_parameters(config, d_model)


def _mixture_parameters(config: MixtureConfig, d_model: int, experts: int) -> int:
    one, router = 3 * d_model * config.d_ff, d_model * config.num_experts
    match config:
        case GatedMixtureConfig():
            return experts * one + router
        case (
            GroupedMixtureSizes(num_shared=num_shared)
            | InputWeightedMixtureConfig(num_shared=num_shared)
        ):
            return (experts + num_shared) * one + router
        case GatedSharedMixtureConfig(num_shared=num_shared):
            return (experts + num_shared) * one + router + d_model
        case ClampedMixtureConfig():
            biases = 2 * config.d_ff + d_model
            return experts * (one + biases) + router + config.num_experts
