"""The zoo against transformers' configuration classes, where their defaults are a released model.

A default is somebody's choice for a class, not always the released file's: where the two differ,
the value is not compared, and SmolLM3's two are compared to differ.
"""

from collections.abc import Callable

import pytest
import torch
import transformers as hf
from torch import Tensor
from torch.testing import assert_close
from transformers.activations import ACT2FN

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import (
    Biases,
    QueryPreAttnScalar,
    Reach,
    Scale,
    SoftCap,
    Window,
)
from course_lib.config.decoder import DecoderConfig
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.config.experts import (
    ClampedMixtureConfig,
    GatedMixtureConfig,
    GatedSharedMixtureConfig,
)
from course_lib.config.norms import UnitOffsetRMSNormConfig
from course_lib.config.rope import RopeConfig, YarnScaling
from course_lib.zoo.dense import DENSE_MODELS
from course_lib.zoo.mixtures import MIXTURES


def _window(reach: Reach) -> int | None:
    return reach.size if isinstance(reach, Window) else None


def _scalar(scale: Scale) -> float | None:
    return scale.scalar if isinstance(scale, QueryPreAttnScalar) else None


def _cap(steps: tuple[SoftCap, ...]) -> float | None:
    return next((step.cap for step in steps), None)


#: Theirs -> how to find ours; the names are Llama's.
OURS: dict[str, Callable[[DecoderConfig], object]] = {
    "vocab_size": lambda config: config.vocab_size,
    "hidden_size": lambda config: config.d_model,
    "num_hidden_layers": lambda config: config.num_layers,
    "max_position_embeddings": lambda config: config.context_length,
    "tie_word_embeddings": lambda config: config.is_tied,
    "num_attention_heads": lambda config: config.layers[0].attention.num_heads,
    "num_key_value_heads": lambda config: config.layers[0].attention.num_kv_heads,
    "head_dim": lambda config: config.layers[0].attention.head_dim,
    "intermediate_size": lambda config: config.layers[0].feed_forward.d_ff,
    "rms_norm_eps": lambda config: config.final_norm.eps,
    "sliding_window": lambda config: _window(config.layers[0].attention.reach),
    "attention_bias": lambda config: config.layers[0].attention.biases is Biases.ALL,
    "query_pre_attn_scalar": lambda config: _scalar(config.layers[0].attention.scale),
    "attn_logit_softcapping": lambda config: _cap(config.layers[0].attention.score_steps),
    "final_logit_softcapping": lambda config: _cap(config.logit_steps),
    # Names of Falcon's and GPT-2's classes.
    "ffn_hidden_size": lambda config: config.layers[0].feed_forward.d_ff,
    "layer_norm_epsilon": lambda config: config.final_norm.eps,
    "bias": lambda config: config.layers[0].attention.biases is Biases.ALL,
}
LLAMA = (
    "hidden_size num_hidden_layers num_attention_heads num_key_value_heads intermediate_size "
    "attention_bias tie_word_embeddings "
)
GEMMA = (
    "rms_norm_eps head_dim tie_word_embeddings attention_bias query_pre_attn_scalar "
    "attn_logit_softcapping final_logit_softcapping "
)
CLASSIC = (
    "vocab_size hidden_size num_hidden_layers num_attention_heads max_position_embeddings "
    "layer_norm_epsilon tie_word_embeddings "
)
#: Our model, their class, and the fields whose defaults are the released model's.
DEFAULTS = [
    ("Llama 2 7B", hf.LlamaConfig, LLAMA + "vocab_size head_dim"),
    (
        "Mistral 7B v0.1",
        hf.MistralConfig,
        LLAMA.replace("attention_bias ", "") + "vocab_size head_dim sliding_window",
    ),
    ("SmolLM3 3B", hf.SmolLM3Config, LLAMA + "vocab_size rms_norm_eps sliding_window"),
    ("OLMo 2 7B", hf.Olmo2Config, LLAMA),
    (
        "Qwen3 8B",
        hf.Qwen3Config,
        "vocab_size hidden_size num_attention_heads head_dim attention_bias tie_word_embeddings "
        "rms_norm_eps sliding_window",
    ),
    (
        "Gemma 2 2B",
        hf.Gemma2Config,
        LLAMA + GEMMA + "vocab_size max_position_embeddings sliding_window",
    ),
    ("Gemma 3 1B", hf.Gemma3TextConfig, GEMMA + "num_hidden_layers"),
    (
        "Gemma 3 4B",
        hf.Gemma3TextConfig,
        GEMMA + "num_attention_heads num_key_value_heads max_position_embeddings",
    ),
    ("Falcon 7B", hf.FalconConfig, CLASSIC + "ffn_hidden_size bias"),
    ("GPT-2 S", hf.GPT2Config, CLASSIC),
]
CASES = [(name, theirs, field) for name, theirs, row in DEFAULTS for field in row.split()]


@pytest.mark.parametrize(("name", "theirs", "field"), CASES)
def test_a_default_is_the_released_value(
    name: str, theirs: type[hf.PretrainedConfig], field: str
) -> None:
    assert OURS[field](DENSE_MODELS[name]) == getattr(theirs(), field)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("Llama 2 7B", hf.LlamaConfig),
        ("Mistral 7B v0.1", hf.MistralConfig),
        ("Falcon 7B", hf.FalconConfig),
        ("Gemma 2 27B", hf.Gemma2Config),
    ],
)
def test_one_rotation_for_all_layers(name: str, theirs: type[hf.PretrainedConfig]) -> None:
    expected = theirs().rope_parameters
    assert expected["rope_type"] == "default"
    for layer in DENSE_MODELS[name].layers:
        rope = layer.attention.rope
        assert isinstance(rope, RopeConfig)
        assert (rope.base, rope.scaling) == (expected["rope_theta"], None)


@pytest.mark.parametrize("name", [name for name in DENSE_MODELS if name.startswith("Gemma")])
def test_the_layers_of_gemma(name: str) -> None:
    config = DENSE_MODELS[name]
    make = hf.Gemma2Config if name.startswith("Gemma 2") else hf.Gemma3TextConfig
    theirs = make(num_hidden_layers=config.num_layers)
    for layer, kind in zip(config.layers, theirs.layer_types, strict=True):
        assert isinstance(layer.attention.reach, Window) == (kind == "sliding_attention")
        bases = theirs.rope_parameters
        rope = layer.attention.rope
        assert isinstance(rope, RopeConfig)
        assert rope.base == bases.get(kind, bases)["rope_theta"]


def test_smollm3_is_the_released_model_and_not_the_default_of_the_class() -> None:
    config, theirs = DENSE_MODELS["SmolLM3 3B"], hf.SmolLM3Config()
    rotated = [isinstance(layer.attention.rope, RopeConfig) for layer in config.layers]
    assert rotated == [bool(rotates) for rotates in theirs.no_rope_layers]
    rope = config.layers[0].attention.rope
    assert isinstance(rope, RopeConfig)
    assert (rope.base, theirs.rope_parameters["rope_theta"]) == (5_000_000.0, 2_000_000.0)
    assert (config.context_length, theirs.max_position_embeddings) == (65_536, 32_768)


@pytest.mark.parametrize(
    ("name", "theirs", "field"),
    [
        ("GPT-2 S", hf.GPT2Config, "activation_function"),
        ("Llama 2 7B", hf.LlamaConfig, "hidden_act"),
        ("Mistral 7B v0.3", hf.MistralConfig, "hidden_act"),
        ("SmolLM3 3B", hf.SmolLM3Config, "hidden_act"),
        ("Falcon 7B", hf.FalconConfig, "activation"),
        ("OLMo 2 7B", hf.Olmo2Config, "hidden_act"),
        ("Gemma 2 2B", hf.Gemma2Config, "hidden_activation"),
        ("Gemma 3 1B", hf.Gemma3TextConfig, "hidden_activation"),
        ("Qwen3 8B", hf.Qwen3Config, "hidden_act"),
    ],
)
def test_activations(name: str, theirs: type[hf.PretrainedConfig], field: str) -> None:
    x: Tensor = torch.linspace(-6, 6, 101, dtype=torch.float64)
    activation = DENSE_MODELS[name].layers[0].feed_forward.activation
    assert_close(activation(x), ACT2FN[getattr(theirs(), field)](x))


def test_gpt_oss_120b_is_the_default_of_its_class() -> None:
    theirs, config = hf.GptOssConfig(), MIXTURES["gpt-oss-120b"]
    attention = config.layers[1].attention
    assert isinstance(attention, CausalAttentionConfig)
    assert (config.vocab_size, config.d_model) == (theirs.vocab_size, theirs.hidden_size)
    assert config.context_length == theirs.max_position_embeddings
    assert config.num_layers == theirs.num_hidden_layers
    assert (attention.num_heads, attention.num_kv_heads, attention.head_dim) == (
        theirs.num_attention_heads,
        theirs.num_key_value_heads,
        theirs.head_dim,
    )
    assert config.final_norm.eps == theirs.rms_norm_eps
    assert (attention.biases is Biases.ALL) == theirs.attention_bias
    assert config.is_tied == theirs.tie_word_embeddings
    for layer, kind in zip(config.layers, theirs.layer_types, strict=True):
        window = theirs.sliding_window if kind == "sliding_attention" else None
        assert _window(layer.attention.reach) == window
        experts = layer.feed_forward
        assert isinstance(experts, ClampedMixtureConfig)
        assert (experts.num_experts, experts.experts_per_token, experts.d_ff) == (
            theirs.num_local_experts,
            theirs.num_experts_per_tok,
            theirs.intermediate_size,
        )
    rope, stretched = attention.rope, theirs.rope_parameters
    assert isinstance(rope, RopeConfig)
    assert isinstance(rope.scaling, YarnScaling)
    assert (rope.base, rope.scaling.factor) == (stretched["rope_theta"], stretched["factor"])
    assert (rope.scaling.alpha, rope.scaling.beta) == (
        stretched["beta_slow"],
        stretched["beta_fast"],
    )
    assert rope.scaling.is_truncated == stretched["truncate"]
    assert rope.scaling.context == stretched["original_max_position_embeddings"]


@pytest.mark.parametrize(
    ("name", "make"),
    [("Qwen3-Next 80B-A3B", hf.Qwen3NextConfig), ("Qwen3.5 35B-A3B", hf.Qwen3_5MoeTextConfig)],
)
def test_layers_with_a_state_are_the_default_of_their_class(
    name: str, make: type[hf.PretrainedConfig]
) -> None:
    theirs, config = make(), MIXTURES[name]
    for field in ("vocab_size", "hidden_size", "num_hidden_layers", "rms_norm_eps"):
        assert OURS[field](config) == getattr(theirs, field)
    assert config.is_tied == theirs.tie_word_embeddings
    assert (config.context_length, theirs.max_position_embeddings) == (262_144, 32_768)
    for layer, kind in zip(config.layers, theirs.layer_types, strict=True):
        assert isinstance(layer.norm, UnitOffsetRMSNormConfig)
        experts = layer.feed_forward
        assert isinstance(experts, GatedSharedMixtureConfig)
        assert (experts.num_experts, experts.experts_per_token, experts.d_ff) == (
            theirs.num_experts,
            theirs.num_experts_per_tok,
            theirs.moe_intermediate_size,
        )
        shared = experts.num_shared * experts.d_ff
        assert shared == theirs.shared_expert_intermediate_size
        attention = layer.attention
        if kind == "linear_attention":
            assert isinstance(attention, GatedDeltaRuleConfig)
            assert (attention.num_heads, attention.num_key_heads, attention.window) == (
                theirs.linear_num_value_heads,
                theirs.linear_num_key_heads,
                theirs.linear_conv_kernel_dim,
            )
            assert (attention.head_dim, attention.value_dim, attention.norm.eps) == (
                theirs.linear_key_head_dim,
                theirs.linear_value_head_dim,
                theirs.rms_norm_eps,
            )
            continue
        assert isinstance(attention, CausalAttentionConfig)
        assert (attention.num_heads, attention.num_kv_heads, attention.head_dim) == (
            theirs.num_attention_heads,
            theirs.num_key_value_heads,
            theirs.head_dim,
        )
        assert (attention.biases is Biases.ALL) == theirs.attention_bias
        rope = attention.rope
        assert isinstance(rope, RopeConfig)
        assert rope.rotary_dim == 256 * theirs.rope_parameters["partial_rotary_factor"]


def test_mixtral_8x7b_is_the_default_of_its_class() -> None:
    theirs, config = hf.MixtralConfig(), MIXTURES["Mixtral 8x7B"]
    for field in ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"]:
        assert OURS[field](config) == getattr(theirs, field)
    experts = config.layers[0].feed_forward
    assert isinstance(experts, GatedMixtureConfig)
    assert (experts.num_experts, experts.experts_per_token, experts.d_ff) == (
        theirs.num_local_experts,
        theirs.num_experts_per_tok,
        theirs.intermediate_size,
    )
    assert config.layers[0].attention.num_kv_heads == theirs.num_key_value_heads
