"""Qwen3, dense and with experts: Llama's block with a norm on each head's queries and keys."""

from dataclasses import replace

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig, Unembedding
from course_lib.config.experts import GatedMixtureConfig
from course_lib.config.norms import HeadQKNorm, RMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.zoo.llama import llama_layer

__all__ = [
    "QWEN3_1_7B",
    "QWEN3_4B",
    "QWEN3_8B",
    "QWEN3_14B",
    "QWEN3_30B_A3B",
    "QWEN3_32B",
    "QWEN3_235B_A22B",
    "QWEN3_600M",
]


def _qwen3(
    num_layers: int, d_model: int, heads: tuple[int, int], d_ff: int, unembedding: Unembedding
) -> DecoderConfig:
    norm = RMSNormConfig(eps=1e-6)
    attention = CausalAttentionConfig(
        num_heads=heads[0],
        num_kv_heads=heads[1],
        head_dim=128,
        rope=RopeConfig(base=1_000_000.0, rotary_dim=128),
        qk_norm=HeadQKNorm(norm=norm),
    )
    return DecoderConfig(
        vocab_size=151936,
        d_model=d_model,
        context_length=40960,
        layers=(llama_layer(attention, d_ff, norm.eps),) * num_layers,
        final_norm=norm,
        unembedding=unembedding,
    )


#: Yang et al. 2025 (arXiv:2505.09388), table 1; sizes as in litgpt. H · D exceeds d_model in the
#: 0.6B, 4B and 32B. The context is that of the chat models' ``config.json``; their cards say
#: "32,768 natively".
QWEN3_600M = _qwen3(28, 1024, (16, 8), 3072, Unembedding.TIED)
QWEN3_1_7B = _qwen3(28, 2048, (16, 8), 6144, Unembedding.TIED)
QWEN3_4B = _qwen3(36, 2560, (32, 8), 9728, Unembedding.TIED)
QWEN3_8B = _qwen3(36, 4096, (32, 8), 12288, Unembedding.OWN)
QWEN3_14B = _qwen3(40, 5120, (40, 8), 17408, Unembedding.OWN)
QWEN3_32B = _qwen3(64, 5120, (64, 8), 25600, Unembedding.OWN)


def _with_experts(dense: DecoderConfig, d_ff: int) -> DecoderConfig:
    experts = GatedMixtureConfig(num_experts=128, experts_per_token=8, d_ff=d_ff)
    layers = tuple(replace(layer, feed_forward=experts) for layer in dense.layers)
    return replace(dense, layers=layers)


#: The same report, table 2: 128 experts, 8 for a token, none shared.
QWEN3_30B_A3B = _with_experts(_qwen3(48, 2048, (32, 4), 6144, Unembedding.OWN), 768)
QWEN3_235B_A22B = _with_experts(_qwen3(94, 4096, (64, 4), 12288, Unembedding.OWN), 1536)
