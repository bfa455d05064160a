"""How large a model is, from its configuration alone: parameters, and cache per token."""

from course_lib.config.arrangement import (
    Arrangement,
    InnerNorm,
    Parallel,
    ParallelTwoNorms,
    PostNorm,
    PreNorm,
    SandwichNorm,
    ScaledPreNorm,
)
from course_lib.config.attention_parts import SoftCap
from course_lib.config.decoder import (
    DecoderConfig,
    EmbeddingNorm,
    EmbeddingScale,
    LayerConfig,
    LearnedPositions,
    LogitBias,
    LogitFactor,
)
from course_lib.counts.attention import attention_parameters, cache_elements, state_bytes
from course_lib.counts.feed_forward import (
    active_feed_forward_parameters,
    feed_forward_parameters,
)
from course_lib.counts.norms import norm_parameters
from course_lib.sizes import require_whole

__all__ = [
    "active_parameters",
    "cache_bytes",
    "cache_elements_per_token",
    "decoder_parameters",
    "layer_parameters",
]


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

    Raises:
        ValueError: if d_model is below 1, or no whole number.

    Source: a sum of its parts; the norms of each arrangement as in ``course_lib.model.blocks``.
    """
    return (
        attention_parameters(config.attention, d_model)
        + feed_forward_parameters(config.feed_forward, d_model)
        + _num_norms(config.arrangement) * norm_parameters(config.norm, d_model)
    )


def decoder_parameters(config: DecoderConfig) -> int:
    r"""Count the parameters of a whole model; a table that is used twice counts once.

    .. math::
        V C &\;(+\, V C \text{ if not tied}) \\
        &\;(+\, S C \text{ learned positions}) \\
        &\;(+\, \text{a norm on the embedding}) \\
        &+ \sum_{l=1}^{L} \text{layer}_l + C \text{ gains} \;(+\, C \text{ shifts}) \\
        &\;(+\, V \text{ biases on the logits})

    Args:
        config: the model; S is its context_length.

    Returns:
        The number of parameters.

    Source: a sum of the above. ``tests/course_lib/counts/test_counts.py`` compares it with the
    released models' counts and with the tensors of our own.
    """
    count = config.vocab_size * config.d_model * (1 if config.is_tied else 2)
    for step in config.embedding_steps:
        match step:
            case LearnedPositions():
                count += config.context_length * config.d_model
            case EmbeddingNorm(norm=norm):
                count += norm_parameters(norm, config.d_model)
            case EmbeddingScale():
                pass
    for logit_step in config.logit_steps:
        match logit_step:
            case LogitBias():
                count += config.vocab_size
            case LogitFactor() | SoftCap():
                pass
    blocks = sum(layer_parameters(layer, config.d_model) for layer in config.layers)
    return count + blocks + norm_parameters(config.final_norm, config.d_model)


def active_parameters(config: DecoderConfig) -> int:
    r"""Count the parameters that one token meets in a product: A of E experts, and no embedding.

    .. math:: \text{all} - \sum_{l=1}^{L} (\text{mixture}_l - \text{of it active}_l)
        \;(-\, V C \text{ if not tied})

    The embedding is looked up and multiplies nothing; the table of the logits does. This is
    OpenAI's convention. Qwen and Mixtral count both tables, others neither.

    Args:
        config: the model.

    Returns:
        The number of parameters; of a dense model with one table for both, all.

    Source: the gpt-oss model card (arXiv:2508.10925), table 1.
    """
    idle = sum(
        feed_forward_parameters(layer.feed_forward, config.d_model)
        - active_feed_forward_parameters(layer.feed_forward, config.d_model)
        for layer in config.layers
    )
    looked_up = 0 if config.is_tied else config.vocab_size * config.d_model
    return decoder_parameters(config) - idle - looked_up


def cache_elements_per_token(config: DecoderConfig) -> int:
    r"""Count the numbers that decoding keeps for one more token, windows left out of account.

    .. math:: \sum_{l=1}^{L} e_l, \qquad e_l = 2\, G_l D_l \quad\text{or, latent,}\quad D_c + D_r

    A layer that keeps a state adds nothing: its state is there from the first token on, and as
    large after the last. ``cache_bytes`` counts it.

    Args:
        config: the model.

    Returns:
        Elements per token: one key and one value for each key/value head of each layer, or a latent
        vector and a rotary key for each layer.

    Source: Shazeer 2019 (arXiv:1911.02150), sec. 2.4; DeepSeek-V2 (arXiv:2405.04434), table 1.
    """
    return sum(cache_elements(layer.attention, 1) for layer in config.layers)


def cache_bytes(config: DecoderConfig, num_tokens: int, bytes_per_element: int = 2) -> int:
    r"""Count the bytes of the cache after a number of tokens; a window keeps W of them.

    .. math:: b \sum_{l=1}^{L} e_l \min(n, W_l) + \sum_{l=1}^{L} s_l

    s is the state of a layer that keeps one, of the same size for each n above 0.

    Args:
        config: the model.
        num_tokens: n, tokens read so far, at least 0.
        bytes_per_element: b, 2 for bfloat16.

    Returns:
        Bytes for one sequence.

    Raises:
        ValueError: if num_tokens is negative or bytes_per_element below 1.

    Source: ``course_lib.counts.attention.cache_elements`` and ``state_bytes``, layer by layer.
    """
    require_whole(num_tokens=num_tokens, bytes_per_element=bytes_per_element)
    if num_tokens < 0 or bytes_per_element < 1:
        raise ValueError(
            "a cache holds num_tokens >= 0 tokens of bytes_per_element >= 1; "
            f"num_tokens is {num_tokens} and bytes_per_element {bytes_per_element}"
        )
    kept = sum(cache_elements(layer.attention, num_tokens) for layer in config.layers)
    states = sum(state_bytes(layer.attention, bytes_per_element) for layer in config.layers)
    return bytes_per_element * kept + (states if num_tokens else 0)


def _num_norms(arrangement: Arrangement) -> int:
    match arrangement:
        case PreNorm() | ScaledPreNorm() | PostNorm() | InnerNorm() | ParallelTwoNorms():
            return 2
        case SandwichNorm():
            return 4
        case Parallel():
            return 1
