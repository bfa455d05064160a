"""A small privacy-filter: transformers' configuration of it, ours, and its files in two layouts."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from transformers.models.openai_privacy_filter import OpenAIPrivacyFilterConfig

from course_lib.config.attention_parts import Window
from course_lib.config.classifier import TokenClassifierConfig
from course_lib.config.experts import ClampedMixtureConfig
from course_lib.config.rope import RopeConfig, YarnScaling
from course_lib.zoo.privacy_filter import PRIVACY_FILTER

V, C, H, G, D, F, E, A, L, SIDE, CONTEXT = 97, 48, 6, 2, 10, 72, 9, 4, 3, 4, 64
_LAYER = PRIVACY_FILTER.layers[0]
OURS: TokenClassifierConfig = replace(
    PRIVACY_FILTER,
    vocab_size=V,
    d_model=C,
    context_length=CONTEXT,
    layers=(
        replace(
            _LAYER,
            attention=replace(
                _LAYER.attention,
                num_heads=H,
                num_kv_heads=G,
                head_dim=D,
                reach=Window(size=SIDE + 1),
                rope=RopeConfig(
                    base=15e4,
                    rotary_dim=D,
                    scaling=YarnScaling(
                        factor=4.0, context=CONTEXT // 4, alpha=1.0, beta=32.0, is_truncated=False
                    ),
                ),
            ),
            feed_forward=ClampedMixtureConfig(num_experts=E, experts_per_token=A, d_ff=F),
        ),
    )
    * L,
)
IDS = torch.randint(0, V, (2, 23), generator=torch.Generator().manual_seed(1))


def theirs() -> OpenAIPrivacyFilterConfig:
    return OpenAIPrivacyFilterConfig(
        vocab_size=V,
        hidden_size=C,
        intermediate_size=F,
        num_hidden_layers=L,
        num_attention_heads=H,
        num_key_value_heads=G,
        head_dim=D,
        sliding_window=SIDE,
        num_local_experts=E,
        num_experts_per_tok=A,
        max_position_embeddings=CONTEXT,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 15e4,
            "factor": 4.0,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "truncate": False,
            "original_max_position_embeddings": CONTEXT // 4,
        },
        attn_implementation="eager",
        pad_token_id=None,
        eos_token_id=None,
    )


def root_layout(seed: int = 0) -> dict[str, Tensor]:
    """As the release's root has it: transformers' names, drawn in bfloat16."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        spread = 0.3 if len(shape) == 1 else 0.7 * shape[-1] ** -0.5
        return (spread * torch.randn(shape, generator=generator)).bfloat16()

    num_labels = OURS.num_labels
    state = {
        "model.embed_tokens.weight": normal(V, C),
        "model.norm.weight": 1 + normal(C),
        "score.weight": normal(num_labels, C),
        "score.bias": normal(num_labels),
    }
    for layer in range(L):
        start = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            state[f"{start}.{norm}.weight"] = 1 + normal(C)
        sizes = {"q": (H * D, C), "k": (G * D, C), "v": (G * D, C), "o": (C, H * D)}
        for letter, shape in sizes.items():
            state[f"{start}.self_attn.{letter}_proj.weight"] = normal(*shape)
            state[f"{start}.self_attn.{letter}_proj.bias"] = normal(shape[0])
        state[f"{start}.self_attn.sinks"] = normal(H)
        state[f"{start}.mlp.router.weight"] = normal(E, C)
        state[f"{start}.mlp.router.bias"] = normal(E)
        for part, shape in {"gate_up": (E, C, 2 * F), "down": (E, F, C)}.items():
            state[f"{start}.mlp.experts.{part}_proj"] = normal(*shape)
            state[f"{start}.mlp.experts.{part}_proj_bias"] = normal(E, shape[-1])
    return state


def original_layout(root: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors as the folder original/ has them, all but the biases of the labels."""
    state = {
        "embedding.weight": root["model.embed_tokens.weight"],
        "unembedding.weight": root["score.weight"],
        "norm.scale": root["model.norm.weight"],
    }
    for layer in range(L):
        theirs, start = f"block.{layer}", f"model.layers.{layer}"
        for kind in ("weight", "bias"):
            three = [root[f"{start}.self_attn.{letter}_proj.{kind}"] for letter in "qkv"]
            state[f"{theirs}.attn.qkv.{kind}"] = torch.cat(three)
            state[f"{theirs}.attn.out.{kind}"] = root[f"{start}.self_attn.o_proj.{kind}"]
            state[f"{theirs}.mlp.gate.{kind}"] = root[f"{start}.mlp.router.{kind}"]
        state[f"{theirs}.attn.norm.scale"] = root[f"{start}.input_layernorm.weight"]
        state[f"{theirs}.mlp.norm.scale"] = root[f"{start}.post_attention_layernorm.weight"]
        # Powers of two instead of e: σ = s ln 2.
        state[f"{theirs}.attn.sinks"] = root[f"{start}.self_attn.sinks"].float() / math.log(2)
        for part, name in {"gate_up": "swiglu", "down": "out"}.items():
            whole = f"{start}.mlp.experts.{part}_proj"
            state[f"{theirs}.mlp.{name}.weight"] = root[whole]
            state[f"{theirs}.mlp.{name}.bias"] = root[f"{whole}_bias"]
    return state
