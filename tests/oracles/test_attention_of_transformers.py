"""Whole attention layers, built from our steps, against the models that transformers runs."""

import math
from types import SimpleNamespace

import pytest
import torch
from strategies import B, H, S, T, mask, normal
from torch import Tensor, nn
from transformers import (
    DeepseekV3Config,
    Gemma2Config,
    LlamaConfig,
    Olmo2Config,
    PreTrainedConfig,
    Qwen3Config,
)
from transformers.cache_utils import DynamicCache
from transformers.models.deepseek_v3.modeling_deepseek_v3 import (
    DeepseekV3Attention,
    DeepseekV3RotaryEmbedding,
)
from transformers.models.gemma2.modeling_gemma2 import Gemma2Attention
from transformers.models.gpt_oss.modeling_gpt_oss import eager_attention_forward as gpt_oss_eager
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaRotaryEmbedding
from transformers.models.olmo2.modeling_olmo2 import Olmo2Attention
from transformers.models.qwen3.modeling_qwen3 import Qwen3Attention

from course_lib.attention.grouped import grouped_mix, grouped_query_attention, grouped_scores
from course_lib.attention.heads import merge_heads, split_heads
from course_lib.attention.latent import (
    compress,
    latent_attention,
    latent_attention_absorbed,
    latent_keys,
    latent_queries,
)
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.attention.qk_norm import normalise_heads, normalise_projections
from course_lib.attention.score_steps import mask_scores, soft_cap
from course_lib.cache.latent import LatentCache
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.rope import RopeConfig
from course_lib.masks import causal_mask
from course_lib.model.attention_modules.latent import LatentAttention
from course_lib.positions.rope import interleaved_to_halves, rope, rope_inv_freq
from course_lib.positions.rotation_table import rotation_table
from course_lib.scaling import softmax_scale
from course_lib.softmax import masked_softmax, softmax_with_sink

C, G, D, TOKENS, BASE = 40, 2, 16, 9, 10000.0
SIZES = {
    "hidden_size": C,
    "num_attention_heads": H,
    "num_key_value_heads": G,
    "head_dim": D,
    "attn_implementation": "eager",
}
X = normal(0, B, TOKENS, C, dtype=torch.float32)
POSITIONS = torch.arange(TOKENS)
#: The models' norms square in float32 and their softmax is float32: so is the comparison. Outputs
#: are of size 1; the largest error measured is 7.2e-7.
BOUND = 1.5e-6


def drawn(layer: nn.Module) -> nn.Module:
    """Weights that keep the size of what passes, and gains about 1."""
    with torch.no_grad():
        for seed, parameter in enumerate(layer.parameters(), start=10):
            values = normal(seed, *parameter.shape).float()
            parameter.copy_(
                1 + 0.3 * values if parameter.ndim == 1 else values / parameter.shape[1] ** 0.5
            )
    return layer.eval().requires_grad_(False)


def additive(may_attend: Tensor) -> Tensor:
    return torch.zeros(may_attend.shape).masked_fill(~may_attend, -math.inf)[None, None]


def run(layer: nn.Module, config: PreTrainedConfig, rotary: type = LlamaRotaryEmbedding) -> Tensor:
    angles = rotary(config)(X, POSITIONS[None])
    output, _ = layer(X, angles, additive(causal_mask(TOKENS)))
    return output


def projections(layer: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(X @ part.weight.T for part in (layer.q_proj, layer.k_proj, layer.v_proj))


def heads_of(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return split_heads(query, H), split_heads(key, G), split_heads(value, G)


def rotated(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    return rope(query, POSITIONS, BASE), rope(key, POSITIONS, BASE)


def test_llama_is_heads_rotation_and_groups() -> None:
    config = LlamaConfig(**SIZES)
    layer = drawn(LlamaAttention(config, layer_idx=0))
    query, key, value = heads_of(*projections(layer))
    output = grouped_query_attention(*rotated(query, key), value, causal_mask(TOKENS))
    error = merge_heads(output) @ layer.o_proj.weight.T - run(layer, config)
    assert error.abs().max() < BOUND


def test_qwen3_normalises_every_head() -> None:
    config = Qwen3Config(**SIZES)
    layer = drawn(Qwen3Attention(config, layer_idx=0))
    query, key, value = heads_of(*projections(layer))
    gains = layer.q_norm.weight, layer.k_norm.weight
    query, key = normalise_heads(query, key, *gains, config.rms_norm_eps)
    output = grouped_query_attention(*rotated(query, key), value, causal_mask(TOKENS))
    error = merge_heads(output) @ layer.o_proj.weight.T - run(layer, config)
    assert error.abs().max() < BOUND


def test_olmo2_normalises_the_whole_projection() -> None:
    config = Olmo2Config(**{name: size for name, size in SIZES.items() if name != "head_dim"})
    layer = drawn(Olmo2Attention(config, layer_idx=0))
    query, key, value = projections(layer)
    gains = layer.q_norm.weight, layer.k_norm.weight
    query, key = normalise_projections(query, key, *gains, config.rms_norm_eps)
    query, key, value = heads_of(query, key, value)
    output = grouped_query_attention(*rotated(query, key), value, causal_mask(TOKENS))
    error = merge_heads(output) @ layer.o_proj.weight.T - run(layer, config)
    assert error.abs().max() < BOUND


def test_gemma2_caps_its_scores_before_the_mask() -> None:
    # A cap of 1 bends every score here; the released 50 would hardly show.
    config = Gemma2Config(**SIZES, attn_logit_softcapping=1.0, query_pre_attn_scalar=24)
    layer = drawn(Gemma2Attention(config, layer_idx=1))
    query, key, value = heads_of(*projections(layer))
    scores = grouped_scores(*rotated(query, key)) * softmax_scale(D, query_pre_attn_scalar=24)
    weights = masked_softmax(soft_cap(scores, 1.0), causal_mask(TOKENS))
    output = merge_heads(grouped_mix(weights, value)) @ layer.o_proj.weight.T
    assert (output - run(layer, config)).abs().max() < BOUND
    uncapped = merge_heads(grouped_mix(masked_softmax(scores, causal_mask(TOKENS)), value))
    assert (uncapped @ layer.o_proj.weight.T - output).abs().max() > 0.01


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 5e-7), (torch.float64, 1e-14)])
def test_gpt_oss_shares_keys_and_lets_a_sink_take_weight(dtype: torch.dtype, bound: float) -> None:
    # float32: measured 2.4e-7.
    query, key = normal(0, B, H, T, D, dtype=dtype), normal(1, B, G, S, D, dtype=dtype)
    value, sinks = normal(2, B, G, S, D, dtype=dtype), normal(3, H, dtype=dtype)
    layer = SimpleNamespace(sinks=sinks, num_key_value_groups=H // G, training=False)
    may_attend = mask(4, B, 1, T, S)  # with an empty row
    blocked = torch.zeros(may_attend.shape, dtype=dtype).masked_fill(~may_attend, -math.inf)
    expected, weights = gpt_oss_eager(layer, query, key, value, blocked, softmax_scale(D))
    scores = mask_scores(grouped_scores(query, key) * softmax_scale(D), may_attend)
    ours = softmax_with_sink(scores, sinks)
    assert (ours - weights).abs().max() < bound
    mixed = grouped_mix(ours, value).transpose(1, 2)  # gpt-oss returns B T H D
    assert (mixed - expected).abs().max() < bound


# Multi-head latent attention

DC, DR, DV = 12, 8, 10
INV_FREQ = rope_inv_freq(DR, BASE)
TABLE = rotation_table(POSITIONS, INV_FREQ)


def deepseek(query_rank: int | None, interleaved: bool) -> tuple[DeepseekV3Config, nn.Module]:
    config = DeepseekV3Config(
        hidden_size=C,
        num_attention_heads=H,
        num_key_value_heads=H,
        q_lora_rank=query_rank,
        kv_lora_rank=DC,
        qk_rope_head_dim=DR,
        qk_nope_head_dim=D,
        v_head_dim=DV,
        rope_interleave=interleaved,
        attn_implementation="eager",
    )
    return config, drawn(DeepseekV3Attention(config, layer_idx=0))


def columns(weight: Tensor, *sizes: int) -> list[Tensor]:
    """The parts of each head, all heads of a part side by side."""
    by_head = weight.T.unflatten(-1, (H, sum(sizes)))
    return [part.flatten(-2) for part in by_head.split(sizes, dim=-1)]


def latent_parameters(layer: nn.Module, interleaved: bool) -> LatentParameters:
    w_dkv, w_kr = layer.kv_a_proj_with_mqa.weight.T.split([DC, DR], dim=-1)
    w_uk, w_uv = columns(layer.kv_b_proj.weight, D, DV)
    return LatentParameters(
        w_dkv=w_dkv,
        g_kv=layer.kv_a_layernorm.weight,
        w_kr=interleaved_to_halves(w_kr, DR) if interleaved else w_kr,
        w_uk=w_uk,
        w_uv=w_uv,
    )


def asked(layer: nn.Module, interleaved: bool) -> tuple[Tensor, Tensor]:
    """The queries of all tokens: low-rank as in V2 and V3, or of full rank as in V2-Lite."""
    x, up = X, layer.q_proj
    if up is None:
        x = compress(X, layer.q_a_proj.weight.T, layer.q_a_layernorm.weight, 1e-6)
        up = layer.q_b_proj
    w_q, w_qr = columns(up.weight, D, DR)
    w_qr = interleaved_to_halves(w_qr, DR) if interleaved else w_qr
    return latent_queries(x, w_q, w_qr, H, TABLE)


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("query_rank", [None, 14])
def test_deepseek_v3(query_rank: int | None, interleaved: bool) -> None:
    config, layer = deepseek(query_rank, interleaved)
    expected = run(layer, config, DeepseekV3RotaryEmbedding)
    parameters, queries = latent_parameters(layer, interleaved), asked(layer, interleaved)
    kept = latent_keys(X, parameters, TABLE, 1e-6)
    for form in (latent_attention, latent_attention_absorbed):
        output = form(*queries, *kept, parameters, causal_mask(TOKENS))
        output = merge_heads(output) @ layer.o_proj.weight.T
        assert (output - expected).abs().max() < BOUND


def test_the_module_is_deepseek_v3() -> None:
    config, layer = deepseek(None, interleaved=False)
    expected = run(layer, config, DeepseekV3RotaryEmbedding)
    sizes = LatentAttentionConfig(
        num_heads=H,
        head_dim=D,
        value_dim=DV,
        latent_dim=DC,
        rope=RopeConfig(base=BASE, rotary_dim=DR),
    )
    ours, cache = LatentAttention(sizes, C), LatentCache(TOKENS)
    parameters = latent_parameters(layer, interleaved=False)
    with torch.no_grad():
        for name in ("w_dkv", "g_kv", "w_kr", "w_uk", "w_uv"):
            ours.get_parameter(name).copy_(getattr(parameters, name))
        for name, weight in zip(("w_q", "w_qr"), columns(layer.q_proj.weight, D, DR), strict=True):
            ours.get_parameter(name).copy_(weight)
        ours.w_o.copy_(layer.o_proj.weight.T)
        assert (ours(X) - expected).abs().max() < BOUND
        chunks = [ours(chunk, cache) for chunk in X.split([4, *[1] * (TOKENS - 4)], dim=1)]
    assert (torch.cat(chunks, dim=1) - expected).abs().max() < BOUND


def test_deepseek_v3_token_by_token_keeps_the_same_numbers() -> None:
    config, layer = deepseek(14, interleaved=True)
    parameters, queries = latent_parameters(layer, True), asked(layer, True)
    rotary, theirs, ours = DeepseekV3RotaryEmbedding(config), DynamicCache(), LatentCache(TOKENS)
    for start, end in ((0, 4), (4, 5), (5, 6), (6, TOKENS)):
        new, here = X[:, start:end], POSITIONS[start:end]
        blocked = additive(causal_mask(end - start, end))
        expected, _ = layer(new, rotary(new, here[None]), blocked, past_key_values=theirs)
        kept = ours.extend(*latent_keys(new, parameters, rotation_table(here, INV_FREQ), 1e-6))
        output = latent_attention_absorbed(
            *(part[:, :, start:end] for part in queries),
            *kept,
            parameters,
            causal_mask(end - start, end),
        )
        output = merge_heads(output) @ layer.o_proj.weight.T
        assert (output - expected).abs().max() < BOUND
    theirs_kept = theirs.layers[0].keys, theirs.layers[0].values
    assert ours.nbytes == sum(part.nbytes for part in theirs_kept) == B * TOKENS * (DC + DR) * 4
    assert (kept[0] - theirs_kept[0][:, 0]).abs().max() < BOUND
    assert (kept[1] - theirs_kept[1][:, 0]).abs().max() < BOUND
