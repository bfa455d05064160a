"""How large one layer's attention is: its parameters, and what it keeps of each token."""

from course_lib.config.attention import (
    AlibiAttentionConfig,
    AttentionConfig,
    CausalAttentionConfig,
)
from course_lib.config.attention_parts import Chunk, Everything, OutputGate, Softmax, Window
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.norms import HeadQKNorm, NoQKNorm, ProjectionQKNorm
from course_lib.counts.norms import norm_parameters
from course_lib.sizes import require_count, require_positive

__all__ = ["attention_parameters", "cache_elements", "state_bytes"]


def attention_parameters(config: AttentionConfig, d_model: int) -> int:
    r"""Count the parameters of one layer's attention.

    With keys and values of their own, ALiBi's slopes being constants,

    .. math:: 2 C H D + 2 C G D \;(+\, H D + 2 G D + C \text{ biases}, + H \text{ sinks},
        + 2 D \text{ or } H D + G D \text{ gains on queries and keys})

    and with keys and values that are made from a latent vector

    .. math:: \underbrace{C H (D + D_r)}_{\text{queries}} + \underbrace{C (D_c + D_r) + D_c}_{
        \text{latent vector, rotary key}} + \underbrace{D_c H (D + D_v)}_{\text{keys, values}}
        + H D_v C

    Queries from a latent vector of Dcq entries cost C Dcq + Dcq H (D + Dr), and the norm's gain. A
    gate on what the heads give costs C H D.

    A gated delta rule has G queries and keys, H values with as many gates, a kernel of W rows, and
    for each head what it writes and forgets:

    .. math:: (C + W)(2 G D + H D_v) + 2\, C H D_v + 2\, C H + 2 H + D_v

    Args:
        config: the attention.
        d_model: C, width of the residual stream.

    Returns:
        The number of parameters, those of a norm on queries and keys included.

    Raises:
        ValueError: if d_model is below 1, or no whole number.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.2, with G key/value heads; DeepSeek-V2
    (arXiv:2405.04434), sec. 2.1; Yang et al. 2024 (arXiv:2412.06464), sec. 3.4.
    """
    require_positive(d_model=d_model)
    match config:
        case CausalAttentionConfig():
            return _causal_parameters(config, d_model)
        case AlibiAttentionConfig():
            return _causal_parameters(config.without_slopes, d_model)
        case LatentAttentionConfig():
            return _latent_parameters(config, d_model)
        case GatedDeltaRuleConfig():
            return _delta_parameters(config, d_model)


def cache_elements(config: AttentionConfig, num_tokens: int) -> int:
    r"""Count the numbers that one layer keeps after n tokens of a sequence.

    .. math:: 2\, G D \min(n, W) \quad\text{or, latent,}\quad (D_c + D_r)\, n

    A layer of chunks keeps as much as a window of a chunk's size. A layer with a state keeps 0 of
    each token, and what ``state_bytes`` counts.

    Args:
        config: the attention.
        num_tokens: n, at least 0.

    Returns:
        The number of elements.

    Raises:
        ValueError: if num_tokens is negative, or no whole number.

    Source: Shazeer 2019 (arXiv:1911.02150), sec. 2.4; DeepSeek-V2 (arXiv:2405.04434), table 1.
    """
    require_count(num_tokens=num_tokens)
    match config:
        case CausalAttentionConfig():
            match config.reach:
                case Everything():
                    kept = num_tokens
                case Window(size=size) | Chunk(size=size):
                    kept = min(num_tokens, size)
            return 2 * config.num_kv_heads * config.head_dim * kept
        case AlibiAttentionConfig():
            return cache_elements(config.without_slopes, num_tokens)
        case LatentAttentionConfig():
            return (config.latent_dim + config.rope.rotary_dim) * num_tokens
        case GatedDeltaRuleConfig():
            return 0  # what it keeps does not grow: see state_bytes


def state_bytes(config: AttentionConfig, bytes_per_element: int = 2) -> int:
    r"""Count the bytes that one layer keeps of a sequence however long it is.

    .. math:: 4\, H D D_v + b\, (W - 1)(2 G D + H D_v)

    The state is summed up over all tokens, so it is kept in float32 where b is less than 4. The
    rows that the convolution reads again are in the model's own dtype.

    Args:
        config: the attention.
        bytes_per_element: b, 2 for bfloat16.

    Returns:
        Bytes for one sequence; 0 where a layer keeps keys and values.

    Raises:
        ValueError: if bytes_per_element is below 1, or no whole number.

    Source: Yang et al. 2024 (arXiv:2412.06464), sec. 3.4; the dtypes are those of transformers'
    Qwen3-Next.
    """
    require_positive(bytes_per_element=bytes_per_element)
    match config:
        case GatedDeltaRuleConfig():
            state = config.num_heads * config.head_dim * config.value_dim
            rows = (config.window - 1) * sum(config.convolved)
            return max(bytes_per_element, 4) * state + bytes_per_element * rows
        case CausalAttentionConfig() | AlibiAttentionConfig() | LatentAttentionConfig():
            return 0


def _causal_parameters(config: CausalAttentionConfig, d_model: int) -> int:
    wide, narrow = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    count = 2 * d_model * wide + 2 * d_model * narrow
    biases = {"q": wide, "k": narrow, "v": narrow, "o": d_model}
    count += sum(biases[letter] for letter in config.biases.value)
    if config.softmax is Softmax.WITH_SINKS:
        count += config.num_heads
    if config.output_gate is OutputGate.PER_ENTRY:
        count += d_model * wide
    match config.qk_norm:
        case NoQKNorm():
            return count
        case HeadQKNorm(norm=norm):
            return count + 2 * norm_parameters(norm, config.head_dim)
        case ProjectionQKNorm(norm=norm):
            return count + norm_parameters(norm, wide) + norm_parameters(norm, narrow)


def _latent_parameters(config: LatentAttentionConfig, d_model: int) -> int:
    heads, rotary, latent = config.num_heads, config.rope.rotary_dim, config.latent_dim
    width = config.query_latent_dim
    if width is None:
        queries = d_model * heads * (config.head_dim + rotary)
    else:
        queries = width * heads * (config.head_dim + rotary)
        queries += d_model * width + norm_parameters(config.norm, width)
    down = d_model * (latent + rotary) + norm_parameters(config.norm, latent)
    up = latent * heads * (config.head_dim + config.value_dim)
    return queries + down + up + heads * config.value_dim * d_model


def _delta_parameters(config: GatedDeltaRuleConfig, d_model: int) -> int:
    convolved, values = sum(config.convolved), config.num_heads * config.value_dim
    made = (d_model + config.window) * convolved + 2 * d_model * values
    per_head = 2 * d_model * config.num_heads + 2 * config.num_heads
    return made + per_head + norm_parameters(config.norm, config.value_dim)
