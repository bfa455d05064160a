"""Residual forms, frequencies and counts against layers of PyTorch and transformers."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import transformers as hf
from strategies import B, T, normal
from tiny_models import ARCHITECTURES, make_pair
from torch import Tensor, nn
from torch.testing import assert_close
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from course_lib.config.arrangement import (
    Arrangement,
    InnerNorm,
    Parallel,
    PostNorm,
    PreNorm,
    SandwichNorm,
)
from course_lib.config.rope import (
    LinearScaling,
    Llama3Scaling,
    NtkScaling,
    RopeConfig,
    RopeScaling,
    YarnScaling,
)
from course_lib.counts.attention import attention_parameters, cache_elements
from course_lib.counts.decoder import (
    cache_bytes,
    cache_elements_per_token,
    decoder_parameters,
    layer_parameters,
)
from course_lib.counts.feed_forward import feed_forward_parameters
from course_lib.counts.gpt3 import count_gpt3
from course_lib.counts.norms import norm_parameters
from course_lib.model.blocks import block_module
from course_lib.model.rotary import rope_frequencies
from course_lib.zoo.dense import DENSE_MODELS
from course_lib.zoo.vaswani import TRANSFORMER_BASE, encoder_decoder_parameters

C = 48


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


class Theirs(nn.Module):
    """Somebody else's function, called as our blocks call their halves."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, *_: object) -> Tensor:
        return self.function(x)


def arranged(arrangement: Arrangement, **parts: Callable[[Tensor], Tensor]) -> nn.Module:
    """Our block with somebody else's attention, network and norms in it."""
    layer = replace(ARCHITECTURES["Llama 3"].ours.layers[0], arrangement=arrangement)
    block = block_module(layer, C)
    assert set(parts) == {name for name, _ in block.named_children()}
    for name, function in parts.items():
        setattr(block, name, Theirs(function))
    return block


@pytest.mark.parametrize(("arrangement", "norm_first"), [(PreNorm(), True), (PostNorm(), False)])
def test_pre_and_post_norm_are_torchs(arrangement: Arrangement, norm_first: bool) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(
        C, 4, 20, dropout=0.0, norm_first=norm_first, batch_first=True
    ).double()
    nn.init.normal_(layer.norm1.weight)
    nn.init.normal_(layer.norm2.weight)
    x = normal(0, B, T, C)

    def attend(v: Tensor) -> Tensor:
        return layer.self_attn(v, v, v)[0]

    def think(v: Tensor) -> Tensor:
        return layer.linear2(layer.linear1(v).relu())

    block = arranged(
        arrangement,
        attention=attend,
        feed_forward=think,
        attention_norm=layer.norm1,
        feed_forward_norm=layer.norm2,
    )
    assert_close(block(x), layer(x))


def theirs(name: str) -> tuple[nn.Module, nn.Module, Callable[[Tensor], Tensor], Tensor]:
    """A decoder's first layer of transformers, its attention as a function of x alone, and x."""
    model = make_pair(name)[0].double()
    x = normal(0, B, T, C)
    positions = torch.arange(T)[None]
    blocked = torch.full((T, T), -torch.inf).triu(1).double()[None, None]
    if name == "Falcon":
        layer = model.transformer.h[0]
        rotations = model.transformer.rotary_emb(x, positions)
        given = {"alibi": None, "attention_mask": blocked, "position_embeddings": rotations}
        return model, layer, lambda v: layer.self_attention(v, **given)[0], x
    layer = model.model.layers[0]
    rotations = model.model.rotary_emb(x, positions)
    given = {"attention_mask": blocked, "position_embeddings": rotations}
    return model, layer, lambda v: layer.self_attn(v, **given)[0], x


def run(layer: nn.Module, model: nn.Module, x: Tensor, name: str) -> Tensor:
    positions = torch.arange(T)[None]
    blocked = torch.full((T, T), -torch.inf).triu(1).double()[None, None]
    given = {"attention_mask": blocked}
    inner = model.transformer if name == "Falcon" else model.model
    given["position_embeddings"] = inner.rotary_emb(x, positions)
    if name == "Falcon":
        given["alibi"] = None
    result = layer(x, **given)
    return result if isinstance(result, Tensor) else result[0]


def test_inner_norm_is_olmos() -> None:
    model, layer, attend, x = theirs("OLMo 2")
    block = arranged(
        InnerNorm(),
        attention=attend,
        feed_forward=layer.mlp,
        attention_norm=layer.post_attention_layernorm,
        feed_forward_norm=layer.post_feedforward_layernorm,
    )
    assert_close(block(x), run(layer, model, x, "OLMo 2"))


def test_sandwich_norm_is_gemmas() -> None:
    model, layer, attend, x = theirs("Gemma 2")
    block = arranged(
        SandwichNorm(),
        attention=attend,
        feed_forward=layer.mlp,
        attention_norm=layer.input_layernorm,
        attention_out_norm=layer.post_attention_layernorm,
        feed_forward_norm=layer.pre_feedforward_layernorm,
        feed_forward_out_norm=layer.post_feedforward_layernorm,
    )
    assert_close(block(x), run(layer, model, x, "Gemma 2"))


def test_parallel_is_falcons() -> None:
    model, layer, attend, x = theirs("Falcon")
    block = arranged(
        Parallel(), attention=attend, feed_forward=layer.mlp, norm=layer.input_layernorm
    )
    assert_close(block(x), run(layer, model, x, "Falcon"))


@pytest.mark.parametrize(
    ("scaling", "parameters"),
    [
        (None, None),
        (LinearScaling(factor=8.0), {"rope_type": "linear", "factor": 8.0}),
        (
            Llama3Scaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, context=8192),
            {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            },
        ),
        *(
            (
                YarnScaling(factor=32.0, context=4096, alpha=1.0, beta=32.0, is_truncated=cut),
                {
                    "rope_type": "yarn",
                    "factor": 32.0,
                    "beta_slow": 1.0,
                    "beta_fast": 32.0,
                    "truncate": cut,
                    "original_max_position_embeddings": 4096,
                },
            )
            for cut in (True, False)
        ),
    ],
)
def test_frequencies_are_those_of_transformers(
    scaling: RopeScaling | None, parameters: dict[str, object] | None
) -> None:
    rope = {"rope_type": "default", "rope_theta": 150_000.0, **(parameters or {})}
    config = hf.LlamaConfig(
        hidden_size=256, num_attention_heads=4, head_dim=64, rope_parameters=rope
    )
    if parameters is None:
        expected, factor = 1 / 150_000.0 ** (torch.arange(0, 64, 2) / 64), 1.0
    else:
        expected, factor = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, torch.device("cpu"))
    ours = RopeConfig(base=150_000.0, rotary_dim=64, scaling=scaling)
    inv_freq, concentration = rope_frequencies(ours)
    assert_close(inv_freq.float(), expected.float(), rtol=1e-6, atol=0.0)
    assert concentration == pytest.approx(factor, rel=1e-12)


def test_ntk_scaling_is_a_larger_base() -> None:
    ours = RopeConfig(base=1e4, rotary_dim=64, scaling=NtkScaling(factor=4.0))
    exponents = torch.arange(0, 64, 2, dtype=torch.float64) / 64
    expected = (1e4 * 4.0 ** (64 / 62)) ** -exponents
    assert_close(rope_frequencies(ours)[0].double(), expected, rtol=1e-6, atol=0.0)


#: Released sizes as transformers builds them, without numbers: name -> model.
RELEASED: dict[str, Callable[[], nn.Module]] = {
    "GPT-2 S": lambda: hf.GPT2LMHeadModel(hf.GPT2Config()),
    "GPT-2 XL": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(n_embd=1600, n_layer=48, n_head=25)),
    "Llama 3 8B": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(
            vocab_size=128256, intermediate_size=14336, num_key_value_heads=8, hidden_size=4096
        )
    ),
    "Mistral 7B v0.1": lambda: hf.MistralForCausalLM(hf.MistralConfig()),
    "Qwen3 8B": lambda: hf.Qwen3ForCausalLM(
        hf.Qwen3Config(
            hidden_size=4096,
            intermediate_size=12288,
            num_hidden_layers=36,
            num_attention_heads=32,
            num_key_value_heads=8,
            head_dim=128,
        )
    ),
    "OLMo 2 7B": lambda: hf.Olmo2ForCausalLM(hf.Olmo2Config(vocab_size=100352)),
    "Gemma 2 2B": lambda: hf.Gemma2ForCausalLM(hf.Gemma2Config()),
    "Gemma 3 1B": lambda: hf.Gemma3ForCausalLM(
        hf.Gemma3TextConfig(
            vocab_size=262144,
            hidden_size=1152,
            intermediate_size=6912,
            num_hidden_layers=26,
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=256,
        )
    ),
    "SmolLM3 3B": lambda: hf.SmolLM3ForCausalLM(hf.SmolLM3Config()),
    "Falcon 7B": lambda: hf.FalconForCausalLM(hf.FalconConfig(ffn_hidden_size=18176)),
}


@pytest.mark.parametrize("name", RELEASED)
def test_released_sizes_are_counted_as_transformers_counts_them(name: str) -> None:
    with torch.device("meta"):
        model = RELEASED[name]()
    config = DENSE_MODELS[name]
    assert decoder_parameters(config) == count(model)
    layers = model.transformer.h if hasattr(model, "transformer") else model.model.layers
    first = layers[0]
    assert layer_parameters(config.layers[0], config.d_model) == count(first)
    attention = next(
        child
        for key, child in first.named_children()
        if "attn" in key or "attention" in key
        if "norm" not in key
    )
    ours = attention_parameters(config.layers[0].attention, config.d_model)
    assert ours == count(attention)
    ours = feed_forward_parameters(config.layers[0].feed_forward, config.d_model)
    assert ours == count(first.mlp)
    norm = next(child for key, child in first.named_children() if "norm" in key or "ln_" in key)
    assert norm_parameters(config.layers[0].norm, config.d_model) == count(norm)


@pytest.mark.parametrize("layers", [2, 12, 96])
def test_count_gpt3_is_what_transformers_builds(layers: int) -> None:
    sizes = {"n_embd": 12288, "n_head": 96, "n_positions": 2048}
    with torch.device("meta"):
        model = hf.GPT2LMHeadModel(hf.GPT2Config(n_layer=layers, **sizes))
    assert count_gpt3(layers) == count(model)


@pytest.mark.parametrize("name", ["GPT-2", "Llama 3", "Qwen3", "Falcon"])
def test_the_cache_holds_as_much_as_transformers(name: str) -> None:
    model, _ = make_pair(name)
    tokens = torch.zeros(1, 11, dtype=torch.int64)
    with torch.no_grad():
        cache = model(tokens, use_cache=True).past_key_values
    held = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    config = ARCHITECTURES[name].ours
    assert 11 * cache_elements_per_token(config) == held
    assert len(config.layers) * cache_elements(config.layers[0].attention, 11) == held
    assert cache_bytes(config, 11, bytes_per_element=4) == 4 * held


def test_the_encoder_decoder_is_torchs_but_for_biases_and_two_norms() -> None:
    with torch.device("meta"):
        model = nn.Transformer(512, 8, 6, 6, 2048, batch_first=True)
    biases = 18 * 4 * 512
    last_norms = 2 * 2 * 512
    expected = count(model) - biases - last_norms + 37_000 * 512
    assert encoder_decoder_parameters(TRANSFORMER_BASE) == expected
