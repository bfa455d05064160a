"""How large a model is, from its configuration alone: parameters, and cache per token."""

from course_lib.config.attention import AttentionConfig
from course_lib.config.decoder import Arrangement, DecoderConfig, LayerConfig
from course_lib.config.feed_forward import FeedForwardConfig, PlainFeedForwardConfig
from course_lib.config.norms import HeadQKNorm, LayerNormConfig, NormConfig, ProjectionQKNorm
from course_lib.counts.cache import kv_cache_bytes

__all__ = [
    "attention_parameters",
    "cache_bytes",
    "cache_elements_per_token",
    "decoder_parameters",
    "feed_forward_parameters",
    "layer_parameters",
]

_NORMS = {
    Arrangement.PRE_NORM: 2,
    Arrangement.POST_NORM: 2,
    Arrangement.INNER_NORM: 2,
    Arrangement.SANDWICH_NORM: 4,
    Arrangement.PARALLEL: 1,
}


def attention_parameters(config: AttentionConfig, d_model: int) -> int:
    r"""Count the parameters of one layer's attention.

    .. math:: 2 C H D + 2 C G D \;(+\, H D + 2 G D + C \text{ biases}, + H \text{ sinks},
        + 2 D \text{ or } H D + G D \text{ gains on queries and keys})

    Args:
        config: the attention.
        d_model: C, width of the residual stream.

    Returns:
        The number of parameters, those of a norm on queries and keys included.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.2, with G key/value heads.
    """
    wide, narrow = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    count = 2 * d_model * wide + 2 * d_model * narrow
    if config.has_bias:
        count += wide + 2 * narrow + d_model
    if config.has_sinks:
        count += config.num_heads
    match config.qk_norm:
        case HeadQKNorm(norm=norm):
            count += 2 * _norm_parameters(norm, config.head_dim)
        case ProjectionQKNorm(norm=norm):
            count += _norm_parameters(norm, wide) + _norm_parameters(norm, narrow)
    return count


def feed_forward_parameters(config: FeedForwardConfig, d_model: int) -> int:
    r"""Count the parameters of one layer's feed-forward network.

    .. math:: 2 C F \;(+\, F + C \text{ biases}) \quad\text{or, gated,}\quad 3 C F

    Args:
        config: the network.
        d_model: C, width of the residual stream.

    Returns:
        The number of parameters.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 2; Shazeer 2020 (arXiv:2002.05202), eq. 6.
    """
    if isinstance(config, PlainFeedForwardConfig):
        biases = config.d_ff + d_model if config.has_bias else 0
        return 2 * d_model * config.d_ff + biases
    return 3 * d_model * config.d_ff


def layer_parameters(config: LayerConfig, d_model: int) -> int:
    r"""Count the parameters of one block: attention, feed-forward network, norms.

    .. math:: \text{attention} + \text{feed-forward} + n\, C \text{ gains}
        \;(+\, n\, C \text{ shifts})

    A block has n = 2 norms, 4 where they stand on both sides, 1 where both halves share it.

    Args:
        config: the layer.
        d_model: C, width of the residual stream.

    Returns:
        The number of parameters.

    Source: a sum of the two above; the norms of each arrangement as in ``course_lib.model.blocks``.
    """
    return (
        attention_parameters(config.attention, d_model)
        + feed_forward_parameters(config.feed_forward, d_model)
        + _NORMS[config.arrangement] * _norm_parameters(config.norm, d_model)
    )


def decoder_parameters(config: DecoderConfig) -> int:
    r"""Count the parameters of a whole model; a table that is used twice counts once.

    .. math::
        V C &\;(+\, V C \text{ if not tied}) \\
        &\;(+\, S C \text{ learned positions}) \\
        &+ \sum_{l=1}^{L} \text{layer}_l + C \text{ gains} \\
        &\;(+\, C \text{ shifts})

    Args:
        config: the model; S is its context_length.

    Returns:
        The number of parameters.

    Source: a sum of the above. ``tests/test_counts.py`` compares it with the released models'
    counts and with the tensors of our own.
    """
    tables = config.vocab_size * (1 if config.is_tied else 2)
    if config.has_learned_positions:
        tables += config.context_length
    blocks = sum(layer_parameters(layer, config.d_model) for layer in config.layers)
    return tables * config.d_model + blocks + _norm_parameters(config.final_norm, config.d_model)


def cache_elements_per_token(config: DecoderConfig) -> int:
    r"""Count the numbers that decoding keeps for one more token, windows left out of account.

    .. math:: \sum_{l=1}^{L} 2\, G_l D_l

    Args:
        config: the model.

    Returns:
        Elements per token: one key and one value for each key/value head of each layer.

    Source: Shazeer 2019 (arXiv:1911.02150), sec. 2.4.
    """
    return cache_bytes(config, num_tokens=1, bytes_per_element=1)


def cache_bytes(config: DecoderConfig, num_tokens: int, bytes_per_element: int = 2) -> int:
    r"""Count the bytes of the cache after a number of tokens; a window keeps W of them.

    .. math:: b \sum_{l=1}^{L} 2\, G_l D_l \min(n, W_l)

    Args:
        config: the model.
        num_tokens: n, tokens read so far, at least 0.
        bytes_per_element: b, 2 for bfloat16.

    Returns:
        Bytes for one sequence.

    Raises:
        ValueError: if num_tokens is negative or bytes_per_element below 1.

    Source: ``course_lib.counts.cache.kv_cache_bytes``, layer by layer.
    """
    if num_tokens < 0 or bytes_per_element < 1:
        raise ValueError(
            "a cache holds num_tokens >= 0 tokens of bytes_per_element >= 1; "
            f"num_tokens is {num_tokens} and bytes_per_element {bytes_per_element}"
        )
    return sum(
        kv_cache_bytes(
            1,
            G=heads.num_kv_heads,
            D=heads.head_dim,
            T=num_tokens,
            bytes=bytes_per_element,
            windows=[heads.window],
        )
        for heads in (layer.attention for layer in config.layers)
    )


def _norm_parameters(norm: NormConfig, size: int) -> int:
    return 2 * size if isinstance(norm, LayerNormConfig) else size
