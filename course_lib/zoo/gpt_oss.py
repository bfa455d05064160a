"""gpt-oss: windows in every other layer, sinks, YaRN, and a mixture of clamped experts."""

from dataclasses import replace

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Biases, Softmax, Window
from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.experts import ClampedMixtureConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import RopeConfig, YarnScaling
from course_lib.sizes import require_positive

__all__ = ["GPT_OSS_20B", "GPT_OSS_120B", "gpt_oss_layers"]


def gpt_oss_layers(
    num_layers: int,
    attention: CausalAttentionConfig,
    experts: ClampedMixtureConfig,
    window: int,
) -> tuple[LayerConfig, ...]:
    """Let every other layer, the first among them, read a window only.

    Args:
        num_layers: L, how many there are.
        attention: of the layers that read everything.
        experts: of all layers.
        window: W, keys within reach of the others, each query's own included.

    Returns:
        One configuration for each layer.

    Raises:
        ValueError: if num_layers is below 1, or no whole number.

    Source: gpt-oss (arXiv:2508.10925), sec. 2.2.
    """
    require_positive(num_layers=num_layers)
    whole = LayerConfig(attention=attention, feed_forward=experts, norm=RMSNormConfig(eps=1e-5))
    near = replace(whole, attention=replace(attention, reach=Window(size=window)))
    return tuple(near if number % 2 == 0 else whole for number in range(num_layers))


def _gpt_oss(num_layers: int, num_experts: int) -> DecoderConfig:
    attention = CausalAttentionConfig(
        num_heads=64,
        num_kv_heads=8,
        head_dim=64,
        biases=Biases.ALL,
        rope=RopeConfig(
            base=150_000.0,
            rotary_dim=64,
            scaling=YarnScaling(
                factor=32.0, context=4096, alpha=1.0, beta=32.0, is_truncated=False
            ),
        ),
        softmax=Softmax.WITH_SINKS,
    )
    experts = ClampedMixtureConfig(num_experts=num_experts, experts_per_token=4, d_ff=2880)
    return DecoderConfig(
        vocab_size=201_088,
        d_model=2880,
        context_length=131_072,
        layers=gpt_oss_layers(num_layers, attention, experts, window=128),
        final_norm=RMSNormConfig(eps=1e-5),
        unembedding=Unembedding.OWN,
    )


#: OpenAI 2025 (arXiv:2508.10925), sec. 2 and table 1. H · D = 4096 exceeds C = 2880.
GPT_OSS_20B = _gpt_oss(24, 32)
GPT_OSS_120B = _gpt_oss(36, 128)
